import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { Chain, type Place } from './chain.ts'

interface Unit {
  readonly store: Store
  readonly sinceMs: number
  isSuspected: boolean
}

/** A unit of work that is being watched. */
export type Watched = Place<Unit>

/**
 * Notices work that has waited for long, with one timer for all of it: it stands at the oldest, and that one has mostly
 * ended when it falls. What a probe finds must be known when the limit of the statement falls, so the timer is not coarse.
 */
export class SlowWatch {
  readonly #clock: Clock
  readonly #limitMs: () => number
  readonly #suspect: (store: Store) => void
  readonly #watched = new Chain<Unit>()
  #cancel: (() => void) | null = null

  /** `suspect` is called once for each unit of work that has run for `limitMs`. */
  constructor(clock: Clock, limitMs: () => number, suspect: (store: Store) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#suspect = suspect
  }

  begin(store: Store): Watched {
    const watched = this.#watched.add({ store, sinceMs: this.#clock.now(), isSuspected: false })
    this.#cancel ??= this.#clock.wait(this.#limitMs(), () => this.#look())
    return watched
  }

  end(watched: Watched): void {
    this.#watched.remove(watched)
  }

  /** Stops watching what still runs. */
  close(): void {
    this.#watched.clear()
    this.#cancel?.()
    this.#cancel = null
  }

  #look(): void {
    this.#cancel = null
    const slowSinceMs = this.#clock.now() - this.#limitMs()
    for (const watched of this.#watched) {
      if (watched.isSuspected) continue
      if (watched.sinceMs > slowSinceMs) {
        this.#cancel = this.#clock.wait(watched.sinceMs - slowSinceMs, () => this.#look())
        return
      }
      watched.isSuspected = true
      this.#suspect(watched.store)
    }
  }
}
