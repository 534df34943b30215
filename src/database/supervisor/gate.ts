import { HoldfastError } from '../../errors.ts'
import type { Store } from '../store/store.ts'

/** How much is running on one store. */
interface Usage {
  reads: number
  writes: number
  /** Called when the last unit (or the last write) has left. */
  readonly idle: Set<() => void>
}

/** What a unit of work is to the gate: only writes are held. */
export type Kind = 'read' | 'write'

/** Holds, drains and counts units of work. There is one, and nothing else does any of the three. */
export class Gate {
  readonly #usages = new Map<Store, Usage>()
  readonly #waiting = new Set<() => void>()
  #isHeld = false
  #active = 0
  #admitted = 0

  /** Units of work that run at this moment. */
  get active(): number {
    return this.#active
  }

  /** Units of work that wait or run at this moment. */
  get admitted(): number {
    return this.#admitted
  }

  /**
   * Takes a unit of work in, which may then wait and run. Each `admit` has exactly one `dismiss`.
   *
   * @throws HoldfastError OVERLOADED when `most` of them wait or run already; then nothing is to be dismissed.
   */
  admit(most: number): void {
    if (this.#admitted >= most) throw new HoldfastError('OVERLOADED', { retryAfterS: 1 })
    this.#admitted += 1
  }

  /** It neither waits nor runs any longer. */
  dismiss(): void {
    this.#admitted -= 1
  }

  /** True while new writes must wait. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** From now on writes wait in `opened`. Those that run go on. */
  hold(): void {
    this.#isHeld = true
  }

  /** Lets writes in again. Safe to call twice. */
  release(): void {
    this.#isHeld = false
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }

  /** Resolves when writes are let in. Rejects with the signal's reason when it aborts first. */
  opened(signal?: AbortSignal): Promise<void> {
    if (!this.#isHeld) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.delete(go)
        reject(signal?.reason)
      }
      if (signal?.aborted) return giveUp()
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.add(go)
    })
  }

  /** Counts a unit of work in. Each `enter` has exactly one `leave`. */
  enter(store: Store, kind: Kind): void {
    let usage = this.#usages.get(store)
    if (usage === undefined) {
      usage = { reads: 0, writes: 0, idle: new Set() }
      this.#usages.set(store, usage)
    }
    if (kind === 'write') usage.writes += 1
    else usage.reads += 1
    this.#active += 1
  }

  /** Counts it out. */
  leave(store: Store, kind: Kind): void {
    const usage = this.#usages.get(store)
    if (usage === undefined) return
    if (kind === 'write') usage.writes -= 1
    else usage.reads -= 1
    this.#active -= 1
    for (const check of usage.idle) check()
  }

  /** Resolves when nothing (or, for `write`, no write) runs on the store; at once when nothing does. */
  drained(store: Store, kind: Kind | 'any' = 'any'): Promise<void> {
    const usage = this.#usages.get(store)
    const isIdle = (): boolean => usage === undefined || (usage.writes === 0 && (kind === 'write' || usage.reads === 0))
    if (usage === undefined || isIdle()) return Promise.resolve()
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isIdle()) return
        usage.idle.delete(check)
        resolve()
      }
      usage.idle.add(check)
    })
  }

  /** Forgets a store that was closed. */
  forget(store: Store): void {
    const usage = this.#usages.get(store)
    // What still runs on it leaves later; its count must not be lost.
    if (usage !== undefined && usage.reads + usage.writes === 0) this.#usages.delete(store)
  }
}
