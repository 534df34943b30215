import { times } from '../machine/policy.ts'
import { atMost } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import type { DatabaseObservation, Observe } from './observation.ts'

/** Closes stores that the state no longer holds, each once, after the work on them has had some time to finish. */
export class StoreCloser {
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #observe: Observe<DatabaseObservation>
  readonly #ending = new Map<Store, Promise<void>>()

  constructor(clock: Clock, gate: Gate, observe: Observe<DatabaseObservation>) {
    this.#clock = clock
    this.#gate = gate
    this.#observe = observe
  }

  /** Starts to close a store; a second call for the same store changes nothing. */
  begin(store: Store, graceMs: number): void {
    if (this.#ending.has(store)) return
    const ended = this.#end(store, graceMs).finally(() => this.#ending.delete(store))
    this.#ending.set(store, ended)
  }

  /** Resolves when every store that is being closed now is closed. Never rejects. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#ending.values())
  }

  async #end(store: Store, graceMs: number): Promise<void> {
    if (graceMs > 0) await atMost(this.#clock, graceMs, this.#gate.drained(store))
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
