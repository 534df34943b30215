import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { LinkedList, type ListNode } from './linked-list.ts'

/** A unit of work that is being watched. */
export type WatchedWork = ListNode<{
  readonly store: Store
  readonly sinceMs: number
  /** When it is slow. */
  readonly slowMs: number
  isSuspected: boolean
}>

/**
 * Reports work that has run for too long. One timer serves all of it: it is set for the first unit that would be slow, which
 * has usually ended when the timer fires. The timer is exact, since the result of the check is needed when the statement
 * times out.
 */
export class SlowWatch {
  readonly #clock: Clock
  readonly #limitMs: (store: Store) => number
  readonly #suspect: (store: Store) => void
  readonly #watched = new LinkedList<WatchedWork['item']>()
  #cancel: (() => void) | null = null
  #dueMs = Number.POSITIVE_INFINITY

  /** `suspect` is called once for each unit of work that has run for `limitMs`. */
  constructor(clock: Clock, limitMs: (store: Store) => number, suspect: (store: Store) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#suspect = suspect
  }

  begin(store: Store): WatchedWork {
    const sinceMs = this.#clock.now()
    const slowMs = sinceMs + this.#limitMs(store)
    const watched = this.#watched.add({ store, sinceMs, slowMs, isSuspected: false })
    if (slowMs < this.#dueMs) this.#wakeAt(slowMs, sinceMs)
    return watched
  }

  end(watched: WatchedWork): void {
    this.#watched.remove(watched)
  }

  /** Stops watching; work that is still running goes on. */
  close(): void {
    this.#watched.clear()
    this.#rest()
  }

  #wakeAt(dueMs: number, nowMs: number): void {
    this.#cancel?.()
    this.#dueMs = dueMs
    this.#cancel = this.#clock.wait(dueMs - nowMs, () => this.#check())
  }

  #rest(): void {
    this.#cancel?.()
    this.#cancel = null
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  #check(): void {
    this.#rest()
    const nowMs = this.#clock.now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const watched of this.#watched) {
      if (watched.isSuspected) continue
      // Not in the order of their beginning: each store has its own limit.
      if (watched.slowMs > nowMs) {
        nextMs = Math.min(nextMs, watched.slowMs)
        continue
      }
      watched.isSuspected = true
      this.#suspect(watched.store)
    }
    if (nextMs < this.#dueMs) this.#wakeAt(nextMs, nowMs)
  }
}
