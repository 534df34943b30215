import { times } from '../machine/policy.ts'
import { atMost } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import type { DatabaseObservation, Observe } from './observation.ts'

/** Ends stores that the state no longer holds: what runs on them may finish for a while, then they are closed, once. */
export class Retirement {
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #observe: Observe<DatabaseObservation>
  readonly #ending = new Map<Store, Promise<void>>()

  constructor(clock: Clock, gate: Gate, observe: Observe<DatabaseObservation>) {
    this.#clock = clock
    this.#gate = gate
    this.#observe = observe
  }

  /** Begins to end a store; a second call for the same store changes nothing. */
  begin(store: Store, graceMs: number): void {
    if (this.#ending.has(store)) return
    const ended = this.#end(store, graceMs).finally(() => this.#ending.delete(store))
    this.#ending.set(store, ended)
  }

  /** Resolves when everything that is being ended at this moment has ended. Never rejects. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#ending.values())
  }

  async #end(store: Store, graceMs: number): Promise<void> {
    if (graceMs > 0) await atMost(this.#clock, graceMs, this.#gate.drained(store))
    // A driver that hangs while it closes must not hold us: it gets a little more than it was told.
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
