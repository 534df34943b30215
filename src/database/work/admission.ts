import { HoldfastError } from '../../errors.ts'
import { writeBlockedError } from '../machine/write-block.ts'
import type { Archiving } from '../store/archiving.ts'
import { limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Demand, Serving, Store } from '../store/store.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { canMeet, mayMeetSoon } from './archived.ts'
import { incompleteError } from './failure.ts'
import type { WorkOptions } from './session.ts'

/** What a unit of work wants of the store that it runs on. */
export type Admitted = Pick<WorkOptions, 'kind' | 'demand' | 'signal' | 'claims'> & {
  /** Work of an application, not of the data API. */
  readonly isBusiness?: true
}

/** How often a write looks whether the archive has its first copy. */
const preparedMs = 50

/** Finds the store for a unit of work, waits for one, and rejects what it cannot give before anything is written. */
export class Admission {
  readonly #supervisor: Supervisor
  readonly #mayUseFallback: (fallback: Store) => boolean
  readonly #archiving: Archiving
  /** What waits for a store ends with it. */
  #waiting = new AbortController()

  constructor(supervisor: Supervisor, mayUseFallback: (fallback: Store) => boolean, archiving: Archiving) {
    this.#supervisor = supervisor
    this.#mayUseFallback = mayUseFallback
    this.#archiving = archiving
  }

  /** Work that waits for a store gets this error now. */
  refuseWaiting(error: Error): void {
    this.#waiting.abort(error)
    this.#waiting = new AbortController()
  }

  /** The store that serves now; null when the caller has to wait for one. */
  current(options: Admitted): Serving | null {
    const { current, gate } = this.#supervisor
    if (current === null || (options.kind === 'write' && gate.isHeld)) return null
    if (mayMeetSoon(this.#archiving, current, options.demand)) return null
    this.#refuseUnmet(current, options)
    return current
  }

  /** Waits for a store and for the gate, each within the same limit. */
  async awaited(options: Admitted): Promise<Serving> {
    const refusal = this.#archiving.refusal()
    if (refusal !== null) throw refusal
    const { settings, clock, gate } = this.#supervisor
    const limitMs = Math.max(settings.timeoutMs, settings.failoverMs ?? 0) + settings.limits.connectMs
    const tooLong = (): HoldfastError => new HoldfastError('STORE_UNAVAILABLE', { retryAfterS: 1 })
    const limited = limitedSignal(clock, limitMs, options.signal, tooLong)
    const signal = AbortSignal.any([limited.signal, this.#waiting.signal])
    try {
      for (;;) {
        await this.#supervisor.serving(signal)
        if (options.kind === 'write') await gate.opened(signal)
        await this.#prepared(options.demand, signal)
        const current = this.current(options)
        if (current !== null) return current
      }
    } finally {
      limited.end()
    }
  }

  /** Waits for the first copy of the store in the archive, where the demand needs it: nothing is written before. */
  async #prepared(demand: Demand | undefined, signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#supervisor
    const until = clock.now() + settings.limits.queryMs
    for (;;) {
      const { current } = this.#supervisor
      if (current === null || !mayMeetSoon(this.#archiving, current, demand)) return
      if (clock.now() >= until) throw new HoldfastError('DURABILITY_UNMET', { retryAfterS: 2 })
      await untilAborted(new Promise<void>((resolve) => clock.wait(preparedMs, resolve)), signal)
    }
  }

  /** Rejects what this store cannot give, before anything is written. */
  #refuseUnmet(serving: Serving, { kind, demand, isBusiness }: Admitted): void {
    const { store, shown } = serving
    if (isBusiness && shown === 'fallback' && !this.#mayUseFallback(store)) {
      throw incompleteError('The fallback does not have the rows that the application may read.')
    }
    if (kind === 'write' && shown === 'fallback') {
      const block = this.#supervisor.writeBlock
      if (block !== null) throw writeBlockedError(block)
    }
    if (demand !== undefined && !canMeet(this.#archiving, serving, demand)) {
      throw new HoldfastError('DURABILITY_UNMET', { retryAfterS: 1 })
    }
  }
}
