/**
 * The limit of what runs on one connection, one thing at a time. pg makes a timer for each statement and takes it away
 * again; here one is made in as long as a statement may take, and it looks at what runs then.
 */
export class Limit {
  readonly #limitMs: number
  #timer: NodeJS.Timeout | null = null
  #late: (() => void) | null = null
  #dueMs = 0

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** `late` is called once when this has not ended by `now` and the limit; `now` is `performance.now()`. */
  begin(now: number, late: () => void): void {
    this.#late = late
    this.#dueMs = now + this.#limitMs
    // One that runs already rings earlier: the limit is the same for all.
    if (this.#timer === null) this.#arm(this.#limitMs)
  }

  /** Ends what was begun with this `late`, and nothing that was begun after it. */
  end(late: () => void): void {
    if (this.#late === late) this.#late = null
  }

  /** Frees the timer; what runs has no limit any more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#late = null
  }

  #arm(ms: number): void {
    // Whoever waits has a socket that keeps the process.
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(ms))).unref()
  }

  #look(): void {
    this.#timer = null
    const late = this.#late
    if (late === null) return
    const leftMs = this.#dueMs - performance.now()
    if (leftMs > 0) {
      this.#arm(leftMs)
    } else {
      this.#late = null
      late()
    }
  }
}
