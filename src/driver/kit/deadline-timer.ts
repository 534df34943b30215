/** One timer for many deadlines, most of which come in order: it is armed for the earliest, so that a later one costs nothing. */
export class DeadlineTimer {
  readonly #expire: (nowMs: number) => number | null
  #timer: NodeJS.Timeout | null = null
  #dueMs = 0

  /** `expire` deals with what is due at `nowMs` (`performance.now()`), and returns the next deadline, null for none. */
  constructor(expire: (nowMs: number) => number | null) {
    this.#expire = expire
  }

  /** Watches a deadline. */
  watch(dueMs: number, nowMs: number): void {
    if (this.#timer !== null && dueMs >= this.#dueMs) return
    this.stop()
    this.#dueMs = dueMs
    // Unreferenced: what waits has a socket that keeps the process running.
    this.#timer = setTimeout(() => this.#ring(), Math.max(1, Math.ceil(dueMs - nowMs))).unref()
  }

  /** Watches nothing any more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #ring(): void {
    this.#timer = null
    const nowMs = performance.now()
    const nextMs = this.#expire(nowMs)
    if (nextMs !== null) this.watch(nextMs, nowMs)
  }
}
