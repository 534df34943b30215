import type { Clock } from '../store/clock.ts'

/** How often a primary that lacks something is looked at again: whoever adds it waits no longer, and restarts nothing. */
export const recheckMs = 5_000

/** How often it is looked whether a secret was rotated, while one is refused: nobody waits for the pause after a refusal. */
export const rotationMs = 1_000

/** Looks again and again while it is wanted, one look at a time. */
export class Recheck {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #look: () => Promise<void>
  #isWanted = false
  #isLooking = false
  #stop: (() => void) | null = null

  /** `look` never rejects. */
  constructor(clock: Clock, everyMs: number, look: () => Promise<void>) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#look = look
  }

  /** From now on it is looked at, or no longer. Repeatable. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
    if (!isWanted) {
      this.#stop?.()
      this.#stop = null
    } else if (this.#stop === null && !this.#isLooking) {
      this.#stop = this.#clock.wait(this.#everyMs, () => void this.#due())
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
