import type { Fault } from '../../driver/fault.ts'
import type { DatabaseConfig } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import type { Event } from '../machine/event.ts'
import type { State } from '../machine/state.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { TransitionHistory } from './history.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import { observationsOf } from './transition-observations.ts'

/** The last opening, probe or carry that ended. */
export interface LastAttempt {
  readonly wallMs: number
  readonly fault: Fault | null
}

/** What the supervisor reports, and remembers of it. */
export class Reporter {
  readonly history: TransitionHistory = new TransitionHistory()
  readonly #clock: Clock
  readonly #observe: Observe<DatabaseObservation>
  #lastAttempt: LastAttempt | null = null

  constructor(clock: Clock, observe: Observe<DatabaseObservation> = () => {}) {
    this.#clock = clock
    this.#observe = observe
  }

  /** Null before the first. */
  get lastAttempt(): LastAttempt | null {
    return this.#lastAttempt
  }

  /** An observer that throws must not stop the machine in the middle of a step. */
  observe(observation: DatabaseObservation): void {
    try {
      this.#observe(observation)
    } catch {
      // Nothing is left to report it to.
    }
  }

  /** Reports what the event, which led from `before` to `after`, means. */
  notice(
    before: State<Store>,
    event: Event<Store>,
    after: State<Store>,
    config: DatabaseConfig,
    settings: ConnectionSettings,
  ): void {
    const wallMs = this.#clock.wallMs()
    for (const seen of observationsOf(before, event, after, config, settings)) {
      this.observe(seen)
      if (seen.type === 'connection.changed') this.history.add(wallMs, seen)
    }
    if ('id' in event && event.type !== 'timer.due') {
      this.#lastAttempt = { wallMs, fault: 'fault' in event ? event.fault : null }
    }
  }
}
