import type { Clock } from '../../database/store/clock.ts'

/** How old the changes are that wait to be cut, from looks at how many bytes wait. */
export class ChangeAge {
  readonly #clock: Clock
  readonly #waitingBytes: () => number
  /** The latest look that saw none, before those that wait now. */
  #oldestMs: number | null = null
  #seenEmptyMs: number
  #cuttingMs: number | null = null

  constructor(clock: Clock, waitingBytes: () => number) {
    this.#clock = clock
    this.#waitingBytes = waitingBytes
    this.#seenEmptyMs = clock.now()
    // Left by a process before this one, or committed before the first look: nobody knows when.
    if (waitingBytes() > 0) this.#oldestMs = Number.NEGATIVE_INFINITY
  }

  /** When the oldest change was committed, at the earliest, that waits or is being cut; -Infinity: unknown; null: none. Looks, which costs microseconds. */
  get oldestMs(): number | null {
    const waiting = this.look()
    return this.#cuttingMs ?? waiting
  }

  /** When the oldest one was committed that is not being cut. */
  look(): number | null {
    if (this.#waitingBytes() > 0) this.#oldestMs ??= this.#seenEmptyMs
    else if (this.#cuttingMs === null) {
      this.#oldestMs = null
      this.#seenEmptyMs = this.#clock.now()
    }
    return this.#oldestMs
  }

  /** What waits is cut from now on. */
  begin(): number {
    const nowMs = this.#clock.now()
    const oldestMs = this.look() ?? nowMs
    this.#cuttingMs = oldestMs
    this.#oldestMs = null
    this.#seenEmptyMs = nowMs
    return oldestMs
  }

  /** What was being cut is, or waits as before. */
  end(isCut: boolean): void {
    if (!isCut) this.#oldestMs = this.#cuttingMs
    this.#cuttingMs = null
  }
}
