import { HoldfastError } from '../../errors.ts'
import type { Store } from '../store/store.ts'
import { Waiters } from './waiters.ts'

/** How much is running on one store. */
interface Usage {
  reads: number
  writes: number
  /** Called each time a unit of work has left. */
  readonly left: Set<() => void>
}

/** What a unit of work is to the gate: only writes are held. */
export type WorkKind = 'read' | 'write'

/** Holds writes, and limits, counts and drains units of work. One object does all of it, for all stores. */
export class Gate {
  readonly #usages = new Map<Store, Usage>()
  readonly #held = new Waiters()
  #isHeld = false
  #active = 0
  #admitted = 0
  #entered = 0

  /** Units of work that are running. */
  get active(): number {
    return this.#active
  }

  /** Units of work that have begun so far: unchanged while nobody asks for anything. */
  get entered(): number {
    return this.#entered
  }

  /** Units of work that are waiting or running. */
  get admitted(): number {
    return this.#admitted
  }

  /**
   * Admits a unit of work, which may then wait and run. Each `admit` has exactly one `dismiss`.
   *
   * @throws HoldfastError OVERLOADED when `most` are waiting or running already; there is nothing to dismiss then.
   */
  admit(most: number): void {
    if (this.#admitted >= most) throw new HoldfastError('OVERLOADED', { retryAfterS: 1 })
    this.#admitted += 1
  }

  /** Ends what `admit` began: the unit of work is done, or gave up. */
  dismiss(): void {
    this.#admitted -= 1
  }

  /** True while new writes must wait. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** From now on writes wait in `opened`; those that are running go on. */
  hold(): void {
    this.#isHeld = true
  }

  /** Lets writes in again. Safe to call twice. */
  release(): void {
    this.#isHeld = false
    this.#held.wake()
  }

  /** Resolves when writes are let in. Rejects with the signal's reason when it aborts first. */
  opened(signal?: AbortSignal): Promise<void> {
    return this.#isHeld ? this.#held.next(signal) : Promise.resolve()
  }

  /** Counts a unit of work as running on this store. Each `enter` has exactly one `leave`. */
  enter(store: Store, kind: WorkKind): void {
    let usage = this.#usages.get(store)
    if (usage === undefined) {
      usage = { reads: 0, writes: 0, left: new Set() }
      this.#usages.set(store, usage)
    }
    if (kind === 'write') usage.writes += 1
    else usage.reads += 1
    this.#active += 1
    this.#entered += 1
  }

  leave(store: Store, kind: WorkKind): void {
    const usage = this.#usages.get(store)
    if (usage === undefined) return
    if (kind === 'write') usage.writes -= 1
    else usage.reads -= 1
    this.#active -= 1
    for (const check of usage.left) check()
  }

  /** Resolves when nothing (or, for `write`, no write) is running on the store. */
  drained(store: Store, kind: WorkKind | 'any' = 'any'): Promise<void> {
    const usage = this.#usages.get(store)
    const isIdle = (): boolean => usage === undefined || (usage.writes === 0 && (kind === 'write' || usage.reads === 0))
    if (usage === undefined || isIdle()) return Promise.resolve()
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isIdle()) return
        usage.left.delete(check)
        resolve()
      }
      usage.left.add(check)
    })
  }

  /** Forgets a store that was closed. */
  forget(store: Store): void {
    const usage = this.#usages.get(store)
    // Work that is still running on it leaves later; its count must be kept until then.
    if (usage !== undefined && usage.reads + usage.writes === 0) this.#usages.delete(store)
  }
}
