/** The observations of the HTTP modules. Paths have no query and no secret; `error` is for the log only. */
export type HttpObservation =
  | { readonly type: 'http.listening'; readonly url: string; readonly host: string; readonly port: number }
  | {
      readonly type: 'request.answered'
      readonly requestId: string
      readonly method: string
      readonly path: string
      /** The route's pattern, or `(none)`: bounded, so metrics may use it. */
      readonly route: string
      /** `public`, `token:<name>`, `user:<sub>`, `admin`; null where no one asked. */
      readonly caller: string | null
      readonly status: number
      readonly durationMs: number
      /** The client disconnected before the response was sent. */
      readonly aborted: boolean
    }
  /** A request failed for a reason that is not the client's, with its cause. */
  | {
      readonly type: 'request.failed'
      readonly requestId: string
      readonly method: string
      readonly route: string
      readonly code: string
      readonly error: unknown
    }
  /** Bytes arrived that are not a valid request: answered if possible, and closed. */
  | { readonly type: 'connection.malformed'; readonly code: string; readonly status: number }
  /** The connection limit closed a connection. */
  | { readonly type: 'connection.dropped'; readonly limit: number }
  | { readonly type: 'http.closed'; readonly tookMs: number; readonly destroyed: number }

/** Receives observations. Must not throw. */
export type ObserveHttp = (observation: HttpObservation) => void
