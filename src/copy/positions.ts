/** A server that ended at once may lose what it has not promised yet: a position counts only when it is so old. */
const promisedMs = 10_000

/** Positions of a primary, which only grow unless it was set back. */
export class Positions {
  readonly #now: () => number
  #promised: bigint | null = null
  #last: { readonly position: bigint; readonly atMs: number } | null = null

  /** `now`: a monotonic clock in milliseconds. `kept`: what an earlier process has left; null: nothing. */
  constructor(now: () => number, kept: bigint | null = null) {
    this.#now = now
    this.#promised = kept
  }

  /** What is to be kept for the next process; null: nothing yet. */
  get promised(): bigint | null {
    return this.#promised
  }

  /** Whether the primary was set back since a position some time ago, until `forget`. `position`: of now; null: not known. */
  wentBack(position: bigint | null): boolean {
    if (position === null) return false
    if (this.#promised !== null && position < this.#promised) return true
    this.#last ??= { position, atMs: this.#now() }
    if (this.#now() - this.#last.atMs >= promisedMs) {
      this.#promised = this.#last.position
      this.#last = { position, atMs: this.#now() }
    }
    return false
  }

  /** Nothing that was copied up to now is left. */
  forget(): void {
    this.#promised = null
    this.#last = null
  }
}
