import { AsyncLocalStorage } from 'node:async_hooks'
import { atMost } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'

/** Claims that are deleted with one statement. */
const batchMax = 500

/** How long a claim waits for others. */
const pauseMs = 1_000

/** More are left to `holdfast prune`: the database does not keep up. */
const waitingMax = 20 * batchMax

/**
 * Deletes claims of attempts that no try can make again, since each try was answered: in batches, next to the requests, and
 * only as far as that succeeds. Claims that are left behind take room until they are pruned, nothing else.
 */
export class ClaimCleanup {
  readonly #clock: Clock
  #store: Store | null = null
  #waiting: string[] = []
  #cancel: (() => void) | null = null
  #running: Promise<void> | null = null
  /** Work that ends inside a transaction of its caller must not delete claims in that transaction. */
  readonly #outside = AsyncLocalStorage.snapshot()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Notes a claim in this store whose attempt has ended: it was made once, and that try was answered. */
  ended(store: Store, attempt: string): void {
    if (store !== this.#store) {
      this.#store = store
      this.#waiting = []
    }
    if (this.#waiting.length >= waitingMax) return
    this.#waiting.push(attempt)
    if (this.#waiting.length >= batchMax) this.#start()
    else this.#cancel ??= this.#clock.wait(pauseMs, () => this.#start())
  }

  /** Deletes what waits, for at most this long; later claims are left. Never rejects. */
  async close(withinMs: number): Promise<void> {
    await atMost(this.#clock, withinMs, this.#flush())
    this.#stopTimer()
    this.#waiting = []
  }

  #start(): void {
    this.#stopTimer()
    this.#running ??= this.#outside(() => this.#flush()).finally(() => {
      this.#running = null
    })
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const store = this.#store
      const batch = this.#waiting.splice(0, batchMax)
      try {
        await store?.attempts?.forget(batch)
      } catch {
        // A database that is lost is reported by the work that needs it.
        return
      }
      if (this.#waiting.length < batchMax) break
    }
    if (this.#waiting.length > 0) this.#cancel ??= this.#clock.wait(pauseMs, () => this.#start())
  }

  #stopTimer(): void {
    this.#cancel?.()
    this.#cancel = null
  }
}
