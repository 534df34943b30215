/** What the HTTP room notices. Paths are without their query, and hold no secret; `error` is for the log only. */
export type HttpObservation =
  | { readonly type: 'http.listening'; readonly url: string; readonly host: string; readonly port: number }
  | {
      readonly type: 'request.answered'
      readonly requestId: string
      readonly method: string
      readonly path: string
      /** The route's pattern, or `(none)`: the one that metrics may use. */
      readonly route: string
      readonly status: number
      readonly durationMs: number
      /** The caller left before the answer was out. */
      readonly aborted: boolean
    }
  /** A request was refused for a reason that is not the caller's: with its cause. */
  | {
      readonly type: 'request.failed'
      readonly requestId: string
      readonly method: string
      readonly route: string
      readonly code: string
      readonly error: unknown
    }
  /** Something came that is no request: answered where possible, and closed. */
  | { readonly type: 'connection.malformed'; readonly code: string; readonly status: number }
  /** A connection over the limit was closed at once. */
  | { readonly type: 'connection.dropped'; readonly limit: number }
  | { readonly type: 'http.closed'; readonly tookMs: number; readonly destroyed: number }

/** Receives what is noticed. Must not throw. */
export type ObserveHttp = (observation: HttpObservation) => void
