/** What takes less is not shown. */
const quietMs = 1_000
/** How often progress is shown. */
const everyMs = 250

/** Where a command shows its progress. */
export interface ProgressOutput {
  readonly json: boolean
  /** Writes a line of JSON. */
  out(text: string): void
  /** Replaces the line on the terminal; null where there is none. */
  readonly terminal: ((text: string) => void) | null
}

/** The progress of a command that takes longer than a second: done, rate, and what is left where that is known. */
export class ProgressLine {
  readonly #output: ProgressOutput
  readonly #show: (count: number) => string
  readonly #startedMs = performance.now()
  #shownMs = 0
  #isShown = false

  /** `show`: a count as text, for people. */
  constructor(output: ProgressOutput, show: (count: number) => string = String) {
    this.#output = output
    this.#show = show
  }

  update(done: number, left: number | null): void {
    const nowMs = performance.now()
    if (nowMs - this.#startedMs < quietMs || nowMs - this.#shownMs < everyMs) return
    this.#shownMs = nowMs
    const perSecond = Math.round((done * 1_000) / (nowMs - this.#startedMs))
    if (this.#output.json) {
      this.#output.out(`${JSON.stringify({ event: 'progress', done, perSecond, left })}\n`)
    } else if (this.#output.terminal !== null) {
      this.#isShown = true
      const rest = left === null ? '' : `, ${this.#show(left)} left`
      this.#output.terminal(`\r\u{1b}[K${this.#show(done)} done, ${this.#show(perSecond)}/s${rest}`)
    }
  }

  /** Clears the line. */
  end(): void {
    if (this.#isShown) this.#output.terminal?.('\r\u{1b}[K')
  }
}
