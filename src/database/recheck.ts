import type { Clock } from './clock.ts'

/** How often a primary that lacks something is looked at again: whoever adds it waits no longer, and restarts nothing. */
export const recheckMs = 5_000

/** Looks again and again while it is wanted, one look at a time. */
export class Recheck {
  readonly #clock: Clock
  readonly #look: () => Promise<void>
  #isWanted = false
  #isLooking = false
  #stop: (() => void) | null = null

  /** `look` never rejects. */
  constructor(clock: Clock, look: () => Promise<void>) {
    this.#clock = clock
    this.#look = look
  }

  /** From now on it is looked at, or no longer. Repeatable. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
    if (!isWanted) {
      this.#stop?.()
      this.#stop = null
    } else if (this.#stop === null && !this.#isLooking) {
      this.#stop = this.#clock.wait(recheckMs, () => void this.#due())
    }
  }

  async #due(): Promise<void> {
    this.#stop = null
    this.#isLooking = true
    await this.#look()
    this.#isLooking = false
    this.want(this.#isWanted)
  }
}
