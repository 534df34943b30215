import type { HttpObservation } from '../http/observation.ts'

/** One answered request, as the histogram takes it. */
export interface RequestDuration {
  readonly route: string
  readonly method: string
  /** `2xx`. */
  readonly status: string
  readonly seconds: number
}

/** The upper bounds of the histogram, in seconds. */
export const durationBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const maxRoutes = 100
/** So many requests are kept as they are before the library is loaded. */
const maxPending = 5_000

/** Keeps durations until something takes them, and their labels within bounds. */
export class RequestDurations {
  readonly #routes = new Set<string>()
  readonly #onFull: () => void
  #pending: RequestDuration[] = []
  #sink: ((duration: RequestDuration) => void) | null = null

  /** `onFull`: called when so many wait that they should be taken. */
  constructor(onFull: () => void) {
    this.#onFull = onFull
  }

  /** Notes an answered request. */
  add(seen: Extract<HttpObservation, { type: 'request.answered' }>): void {
    const duration: RequestDuration = {
      route: this.#bounded(seen.route),
      method: methods.has(seen.method) ? seen.method : 'other',
      status: `${Math.floor(seen.status / 100)}xx`,
      seconds: seen.durationMs / 1000,
    }
    if (this.#sink !== null) this.#sink(duration)
    else if (this.#pending.length < 2 * maxPending && this.#pending.push(duration) === maxPending) this.#onFull()
  }

  /** Hands over what waits, and from now on each one at once. */
  drainTo(sink: (duration: RequestDuration) => void): void {
    this.#sink = sink
    for (const duration of this.#pending) sink(duration)
    this.#pending = []
  }

  #bounded(route: string): string {
    if (this.#routes.has(route)) return route
    if (this.#routes.size >= maxRoutes) return '(other)'
    this.#routes.add(route)
    return route
  }
}
