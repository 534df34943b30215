import type { Facts } from '../../driver/driver.ts'
import type { DatabaseConfig } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { heldStores, type State, servingStore } from '../machine/state.ts'
import { driverBlockOf, type WriteBlock, writeBlockOf } from '../machine/write-block.ts'
import { atMost, limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { StoreOpener } from '../store/engine-factory.ts'
import { PrimaryFacts } from '../store/primary-facts.ts'
import type { Store } from '../store/store.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import { Recheck, recheckMs } from './recheck.ts'
import type { StoreSteps } from './steps.ts'

/** Between proofs that failed claims ask for. */
const proofPauseMs = 1_000

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
  /** Called whenever writes may have been blocked or let in. */
  applied(): void
  /** Called when the primary accepts what a journal carries, after it did not. */
  unblocked(): void
}

/**
 * What the primary is known to be, and what that means for writes on its fallback. While the store that serves lacks
 * something (a right, a table, room on its disk), it is checked repeatedly, so that a remedy counts without a restart.
 */
export class PrimaryWatch {
  /** Opens and proves stores, and remembers what that finds out about the primary. */
  readonly opener: StoreOpener
  readonly #facts = new PrimaryFacts()
  readonly #recheck: Recheck
  readonly #parts: PrimaryWatchParts
  readonly #blocked = new WeakSet<Store>()
  readonly #full = new WeakMap<Store, boolean>()
  #reported: WriteBlock | null = null
  #checking: AbortController | null = null
  #checked: Store | undefined
  readonly #preparing = new Map<Store, Promise<void>>()
  #proof: { readonly beganAt: number; readonly ended: Promise<void> } | null = null

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
    const config = this.#parts.config()
    if (!config.declared) return null
    if (this.#parts.settings().fallbackMode === 'read-only') return 'setting'
    const byDrivers = driverBlockOf(config.primary?.driver, config.fallback?.driver)
    if (byDrivers !== null) return byDrivers
    return this.#facts.isSplit(config.primary?.target) ? 'split' : writeBlockOf(this.facts)
  }

  /** Must be called before a primary is left because two servers accept writes: the fallback then accepts none. */
  foundSplit(): void {
    const target = this.#parts.config().primary?.target
    if (target !== undefined) this.#facts.split(target)
  }

  /** Must be called after each change of state: opens or blocks the fallback for writes, as is known now. */
  changed(): void {
    const { block } = this
    const state = this.#parts.state()
    for (const store of heldStores(state)) this.apply(store)
    this.#parts.applied()
    this.#recheck.want(this.#isLacking(state))
    // A close must not wait for the check, and the next store is another one.
    if (servingStore(state)?.store !== this.#checked) this.#checking?.abort(new Error('The store no longer serves.'))
    if (block === this.#reported) return
    const isNews = block !== 'setting' && this.#reported !== 'setting'
    this.#reported = block
    if (isNews) this.#parts.observe({ type: 'fallback.writes', block })
    if (block === null) this.#parts.unblocked()
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

  /** True while the disk of a held store is known to be full. */
  get isDiskFull(): boolean {
    return heldStores(this.#parts.state()).some((store) => this.#isFull(store))
  }

  /** Must be called when a write on this store met a full disk. */
  diskFull(store: Store): void {
    this.#full.set(store, true)
    this.changed()
  }

  #isFull(store: Store): boolean {
    return this.#full.get(store) ?? store.facts.full === true
  }

  /** Asks each store whose disk is full whether it still is. */
  async #checkFull(signal: AbortSignal): Promise<void> {
    const config = await this.#parts.resolve()
    for (const store of heldStores(this.#parts.state())) {
      const resolved = config[store.role]
      if (!this.#isFull(store) || resolved === null) continue
      const want = { role: store.role, proof: 'open' } as const
      this.#full.set(store, (await this.opener.prove(resolved, want, signal, { only: store.label })).full === true)
    }
  }

  /** Proves the primary, at most once a second for all that ask: what it lacks is made, or known. Never rejects. */
  async provenAgain(): Promise<void> {
    const now = this.#parts.clock.now()
    if (this.#proof === null || now - this.#proof.beganAt >= proofPauseMs) {
      this.#proof = { beganAt: now, ended: this.#prove() }
    }
    await this.#proof.ended
  }

  async #prove(): Promise<void> {
    const { connectMs } = this.#parts.settings().limits
    const tooLong = (): Error => new Error('The proof took longer than CONNECTION_TIMEOUT.')
    const limited = limitedSignal(this.#parts.clock, connectMs, undefined, tooLong)
    try {
      const { primary } = await this.#parts.resolve()
      const state = this.#parts.state()
      const choice = state.name === 'PRIMARY_CONNECTED' ? { only: state.store.label } : {}
      const want = { role: 'primary', proof: 'write' } as const
      if (primary !== null) await this.opener.prove(primary, want, limited.signal, choice)
    } catch {
      // The work that asked meets it again.
    } finally {
      limited.end()
    }
  }

  /** Prepares a store again, once for all that ask at the same time. Never rejects. */
  async prepareAgain(store: Store): Promise<void> {
    const running = this.#preparing.get(store)
    if (running !== undefined) return await running
    const prepared = this.#prepare(store).finally(() => this.#preparing.delete(store))
    this.#preparing.set(store, prepared)
    await prepared
    this.changed()
  }

  async #prepare(store: Store): Promise<void> {
    if (!heldStores(this.#parts.state()).includes(store)) return
    // A failure is met again by the work that asked.
    const { connectMs } = this.#parts.settings().limits
    await atMost(this.#parts.clock, connectMs, this.#parts.steps.prepare(store))
  }

  /** Whether the store that serves lacks something that may be added while it serves. */
  #isLacking(state: State<Store>): boolean {
    if (state.name === 'PRIMARY_CONNECTED' && writeBlockOf(this.facts) !== null) return true
    const serving = servingStore(state)
    return serving !== null && (this.isDiskFull || this.#parts.steps.lacks(serving.store))
  }

  /** Never rejects. Also finds a lost primary: where every collection lacks its table, no work would. */
  async #check(): Promise<void> {
    const { clock, steps } = this.#parts
    const tooLong = (): Error => new Error('The check of the store took longer than CONNECTION_TIMEOUT.')
    const checked = this.#parts.state()
    const isPrimary = checked.name === 'PRIMARY_CONNECTED'
    this.#checked = servingStore(checked)?.store
    this.#checking = new AbortController()
    const { connectMs } = this.#parts.settings().limits
    const limited = limitedSignal(clock, connectMs, this.#checking.signal, tooLong)
    try {
      const { primary } = await this.#parts.resolve()
      // While another store serves, the way back to the primary proves it.
      if (primary !== null && isPrimary) {
        const only = checked.store.label
        await this.opener.prove(primary, { role: 'primary', proof: 'write' }, limited.signal, { only })
      }
      await this.#checkFull(limited.signal)
      const serving = servingStore(this.#parts.state())
      if (serving === null || !steps.lacks(serving.store)) return
      await untilAborted(steps.prepare(serving.store), limited.signal)
    } catch {
      if (isPrimary) await this.#parts.report(checked.store)
    } finally {
      this.#checking = null
      limited.end()
    }
  }
}
