import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { LinkedList, type ListNode } from './linked-list.ts'

/** A unit of work that is being watched. */
export type WatchedWork = ListNode<{ readonly store: Store; readonly sinceMs: number; isSuspected: boolean }>

/**
 * Reports work that has run for too long. One timer serves all of it: it is set for the oldest unit, which has usually
 * ended when the timer fires. The timer is exact, since the result of the check is needed when the statement times out.
 */
export class SlowWatch {
  readonly #clock: Clock
  readonly #limitMs: () => number
  readonly #suspect: (store: Store) => void
  readonly #watched = new LinkedList<WatchedWork['item']>()
  #cancel: (() => void) | null = null

  /** `suspect` is called once for each unit of work that has run for `limitMs`. */
  constructor(clock: Clock, limitMs: () => number, suspect: (store: Store) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#suspect = suspect
  }

  begin(store: Store): WatchedWork {
    const watched = this.#watched.add({ store, sinceMs: this.#clock.now(), isSuspected: false })
    this.#cancel ??= this.#clock.wait(this.#limitMs(), () => this.#check())
    return watched
  }

  end(watched: WatchedWork): void {
    this.#watched.remove(watched)
  }

  /** Stops watching; work that is still running goes on. */
  close(): void {
    this.#watched.clear()
    this.#cancel?.()
    this.#cancel = null
  }

  #check(): void {
    this.#cancel = null
    const slowSinceMs = this.#clock.now() - this.#limitMs()
    for (const watched of this.#watched) {
      if (watched.isSuspected) continue
      if (watched.sinceMs > slowSinceMs) {
        this.#cancel = this.#clock.wait(watched.sinceMs - slowSinceMs, () => this.#check())
        return
      }
      watched.isSuspected = true
      this.#suspect(watched.store)
    }
  }
}
