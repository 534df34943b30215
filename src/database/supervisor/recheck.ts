import type { Clock } from '../store/clock.ts'

/** How often a primary that lacks something is checked again, so that a grant counts without a restart. */
export const recheckMs = 5_000

/** A repeated check that runs while it is wanted and never overlaps itself. */
export class Recheck {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #check: () => Promise<void>
  #isWanted = false
  #isChecking = false
  #stop: (() => void) | null = null

  /** `check` never rejects. */
  constructor(clock: Clock, everyMs: number, check: () => Promise<void>) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#check = check
  }

  /** Starts or stops the checks. Safe to repeat. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
    if (!isWanted) {
      this.#stop?.()
      this.#stop = null
    } else if (this.#stop === null && !this.#isChecking) {
      this.#stop = this.#clock.wait(this.#everyMs, () => void this.#due())
    }
  }

  async #due(): Promise<void> {
    this.#stop = null
    this.#isChecking = true
    await this.#check()
    this.#isChecking = false
    this.want(this.#isWanted)
  }
}
