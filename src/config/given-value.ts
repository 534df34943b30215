import type { Origin } from './problem.ts'

/** A value that was given for a setting, not yet judged. */
export interface Given {
  readonly key: string
  /** As the giver wrote it: `PORT`, `http.port`, `http_port`. */
  readonly name: string
  readonly origin: Origin
  /** The value, or why there is none though it was given. */
  readonly value: (() => unknown) | { readonly reason: string }
}
