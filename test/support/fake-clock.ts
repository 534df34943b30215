import type { Clock } from '../../src/database/store/clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly fn: () => void
}

/** Lets everything that waits for nothing but promises, and for the file system, come to rest. */
export async function settle(turns = 8): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #nowMs = 0
  #order = 0
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  wait(ms: number, fn: () => void): () => void {
    this.#order += 1
    const timer: Timer = { at: this.#nowMs + Math.max(0, ms), order: this.#order, fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How many timers are set: 0 when nothing is left behind. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets `ms` pass: each timer in its turn, and what it set in motion comes to rest before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms
    await settle()
    for (;;) {
      const next = this.#next()
      if (next === undefined || next.at > end) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.at)
      next.fn()
      await settle()
    }
    this.#nowMs = end
  }

  #next(): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer
    }
    return next
  }
}
