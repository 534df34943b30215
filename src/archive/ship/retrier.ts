import { backoffMs } from '../../database/machine/policy.ts'
import type { Clock } from '../../database/store/clock.ts'
import { Bell } from './bell.ts'
import type { Recorder } from './recorder.ts'

/** The longest wait between two tries: a target that is back is used soon. */
const waitMaxMs = 30_000

/** Does what may fail again and again until it is done, with growing waits, and records how it went. */
export class Retrier {
  readonly #recorder: Recorder
  readonly #random: () => number
  readonly #bell: Bell

  constructor(recorder: Recorder, clock: Clock, random: () => number) {
    this.#recorder = recorder
    this.#random = random
    this.#bell = new Bell(clock)
  }

  /** Tries again now what waits. */
  hurry(): void {
    this.#bell.ring()
  }

  /** Rejects with the signal's reason only. */
  async run<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      signal.throwIfAborted()
      try {
        const done = await act()
        this.#recorder.answered()
        return done
      } catch (error) {
        signal.throwIfAborted()
        this.#recorder.failed(error)
        await this.#bell.wait(backoffMs(failures, this.#random(), waitMaxMs), signal)
      }
    }
  }
}
