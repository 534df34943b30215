import type { ConnectionSettings } from '../machine/connection-settings.ts'
import type { Event } from '../machine/event.ts'
import { times } from '../machine/policy.ts'
import { atMost } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import type { StoreSteps } from './steps.ts'

/** How long the work on a store that this event ended may go on, in milliseconds; null: as long as the service closes. */
export function graceMs({ type }: Event<Store>, { limits, timeoutMs }: ConnectionSettings): number | null {
  if (type === 'closed') return null
  // All requests wait for this one: no longer than they would wait for a primary.
  if (type === 'reconfigured') return Math.min(limits.transactionMs, timeoutMs)
  // The connections of a lost store are reset; work on any other store may finish.
  return type === 'store.lost' ? 0 : limits.transactionMs
}

/** Closes stores that the state no longer holds, each once, after the work on them has had some time to finish. */
export class StoreCloser {
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #steps: Pick<StoreSteps, 'leave'>
  readonly #observe: Observe<DatabaseObservation>
  readonly #ending = new Map<Store, Promise<void>>()

  constructor(clock: Clock, gate: Gate, steps: Pick<StoreSteps, 'leave'>, observe: Observe<DatabaseObservation>) {
    this.#clock = clock
    this.#gate = gate
    this.#steps = steps
    this.#observe = observe
  }

  /** Starts to close a store; a second call for the same store changes nothing. `last` is done before, and never rejects. */
  begin(store: Store, graceMs: number, last: Promise<void> = Promise.resolve()): void {
    if (this.#ending.has(store)) return
    const ended = this.#end(store, graceMs, last).finally(() => this.#ending.delete(store))
    this.#ending.set(store, ended)
  }

  /** Resolves when every store that is being closed now is closed. Never rejects. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#ending.values())
  }

  async #end(store: Store, graceMs: number, last: Promise<void>): Promise<void> {
    const drain = async () => await atMost(this.#clock, graceMs, Promise.all([this.#gate.drained(store), last]))
    const drained = graceMs > 0 ? drain() : Promise.resolve()
    const left = this.#steps.leave(store, drained, graceMs)
    await Promise.all([drained, atMost(this.#clock, graceMs + times.lateCloseMs, left)])
    // A driver that hangs in its close must not block us; it gets a little longer than it was given.
    await atMost(this.#clock, 2 * times.lateCloseMs, this.#close(store))
    this.#gate.forget(store)
    const { role, driver, label } = store
    this.#observe({ type: 'store.closed', role, driver: driver.name, label })
  }

  async #close(store: Store): Promise<void> {
    try {
      await store.close(times.lateCloseMs)
    } catch (error) {
      this.#observe({ type: 'database.defect', where: `close of ${store.label}`, error })
    }
  }
}
