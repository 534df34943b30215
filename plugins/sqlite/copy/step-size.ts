/** How long a step works; with its commit it holds the writer for at most 5 ms. */
const stepMs = 3

/** Rows are written in groups of this size. */
const unit = 16

/** How much of a step's work is begun at once, by what the last steps took. */
export class StepSize {
  #size = 128
  readonly #most: number

  constructor(most: number = 2_048) {
    this.#most = most
  }

  get size(): number {
    return this.#size
  }

  /** When a step that begins now is to end. */
  until(): number {
    return performance.now() + stepMs
  }

  /** So much was done since then. */
  note(done: number, beganMs: number): void {
    // A look that found nothing says nothing of the next step.
    if (done === 0) return
    const tookMs = Math.max(performance.now() - beganMs, 0.05)
    const fitting = Math.ceil((done * stepMs) / tookMs)
    const size = Math.min(this.#most, fitting, 2 * this.#size)
    this.#size = Math.max(unit, size - (size % unit))
  }
}
