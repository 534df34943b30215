/** One timer for many deadlines that come in order: it is armed for the oldest, so that another one costs nothing. */
export class DeadlineTimer {
  readonly #expire: (nowMs: number) => number | null
  #timer: NodeJS.Timeout | null = null

  /** `expire` deals with what is due at `nowMs` (`performance.now()`), and returns the next deadline, null for none. */
  constructor(expire: (nowMs: number) => number | null) {
    this.#expire = expire
  }

  /** Watches a deadline, which is no earlier than those before it. */
  watch(dueMs: number, nowMs: number): void {
    // Unreferenced: what waits has a socket that keeps the process running.
    this.#timer ??= setTimeout(() => this.#ring(), Math.max(1, Math.ceil(dueMs - nowMs))).unref()
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
