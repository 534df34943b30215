import type { Facts } from '../../driver/driver.ts'
import type { DatabaseConfig } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { heldStores, type State } from '../machine/state.ts'
import { type WriteBlock, writeBlockOf } from '../machine/write-block.ts'
import { limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { StoreOpener } from '../store/engine-factory.ts'
import { PrimaryFacts } from '../store/primary-facts.ts'
import type { Store } from '../store/store.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import { Recheck, recheckMs } from './recheck.ts'
import type { StoreSteps } from './steps.ts'

/** What `PrimaryWatch` works with. */
export interface PrimaryWatchParts {
  readonly clock: Clock
  readonly opener: StoreOpener
  readonly steps: StoreSteps
  readonly observe: Observe<DatabaseObservation>
  state(): State<Store>
  settings(): ConnectionSettings
  /** The resolution that was last used. */
  config(): DatabaseConfig
  /** The resolution, re-read. Never rejects. */
  resolve(): Promise<DatabaseConfig>
  /** Checks whether a store that did not answer is lost. */
  report(store: Store): Promise<unknown>
}

/**
 * What the primary is known to be, and what that means for writes on its fallback. While the primary lacks something, it
 * is checked repeatedly, so that a grant counts without a restart.
 */
export class PrimaryWatch {
  /** Opens and proves stores, and remembers what that finds out about the primary. */
  readonly opener: StoreOpener
  readonly #facts = new PrimaryFacts()
  readonly #recheck: Recheck
  readonly #parts: PrimaryWatchParts
  readonly #blocked = new WeakSet<Store>()
  #reported: WriteBlock | null = null
  #checking: AbortController | null = null

  constructor(parts: PrimaryWatchParts) {
    this.#parts = parts
    this.opener = this.#facts.watching(parts.opener, () => this.changed())
    this.#recheck = new Recheck(parts.clock, recheckMs, () => this.#check())
  }

  /** The latest facts about the declared primary; null when it was never reached. */
  get facts(): Facts | null {
    return this.#facts.of(this.#parts.config().primary?.target)
  }

  /** Why the fallback accepts no writes; null when it does, and where no primary is declared. */
  get block(): WriteBlock | null {
    if (!this.#parts.config().declared) return null
    return this.#parts.settings().fallbackMode === 'read-only' ? 'setting' : writeBlockOf(this.facts)
  }

  /** Must be called after each change of state: opens or blocks the fallback for writes, as is known now. */
  changed(): void {
    const { block } = this
    const state = this.#parts.state()
    for (const store of heldStores(state)) this.apply(store)
    this.#recheck.want(this.#isLacking(state))
    // A close must not wait for the check, and the next primary is another one.
    if (state.name !== 'PRIMARY_CONNECTED') this.#checking?.abort(new Error('The primary no longer serves.'))
    if (block === this.#reported) return
    const isNews = block !== 'setting' && this.#reported !== 'setting'
    this.#reported = block
    if (isNews) this.#parts.observe({ type: 'fallback.writes', block })
  }

  /** Blocks this fallback for every write of every session, or opens it again. Its tables must have been made before. */
  apply(store: Store): void {
    const isBlocked = store.role === 'fallback' && this.block !== null
    // One that was never blocked is left alone: its own address may make it read-only.
    if (isBlocked === this.#blocked.has(store)) return
    if (isBlocked) this.#blocked.add(store)
    else this.#blocked.delete(store)
    store.setReadOnly(isBlocked)
  }

  /** Whether the primary that serves lacks something that may be added while it serves. */
  #isLacking(state: State<Store>): boolean {
    if (state.name !== 'PRIMARY_CONNECTED') return false
    return writeBlockOf(this.facts) !== null || this.#parts.steps.lacks(state.store)
  }

  /** Never rejects. Also finds a lost primary: where every collection lacks its table, no work would. */
  async #check(): Promise<void> {
    const { clock, steps } = this.#parts
    const tooLong = (): Error => new Error('The check of the primary took longer than CONNECTION_TIMEOUT.')
    const checked = this.#parts.state()
    this.#checking = new AbortController()
    const { connectMs } = this.#parts.settings().limits
    const limited = limitedSignal(clock, connectMs, this.#checking.signal, tooLong)
    try {
      const { primary } = await this.#parts.resolve()
      if (primary !== null) await this.opener.prove(primary, { role: 'primary', proof: 'write' }, limited.signal)
      const state = this.#parts.state()
      if (state.name !== 'PRIMARY_CONNECTED' || !steps.lacks(state.store)) return
      await untilAborted(steps.prepare(state.store), limited.signal)
    } catch {
      if (checked.name === 'PRIMARY_CONNECTED') await this.#parts.report(checked.store)
    } finally {
      this.#checking = null
      limited.end()
    }
  }
}
