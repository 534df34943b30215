import type { Facts } from '../../driver/driver.ts'
import type { DatabaseConfig } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { heldStores, type State } from '../machine/state.ts'
import { barOf, type WriteBar } from '../machine/write-block.ts'
import { limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { StoreOpener } from '../store/engine-factory.ts'
import { PrimaryFacts } from '../store/primary-facts.ts'
import type { Store } from '../store/store.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import { Recheck, recheckMs } from './recheck.ts'
import type { StoreSteps } from './steps.ts'

/** What is watched: the supervisor as it is at each moment. */
interface Watched {
  readonly clock: Clock
  readonly state: State<Store>
  readonly config: DatabaseConfig
  readonly settings: ConnectionSettings
  /** A store that does not answer: is it lost? */
  suspect(store: Store): Promise<unknown>
}

/** The parts that the watch works with. */
interface WatchParts {
  readonly opener: StoreOpener
  readonly steps: StoreSteps
  readonly observe: Observe<DatabaseObservation>
}

/**
 * What the primary says of itself, and what follows for the writes of its fallback. Where something is missing in the
 * primary, it is looked at again now and then, so that a grant counts without a restart.
 */
export class PrimaryWatch {
  /** Opens and proves, and notes what that finds. */
  readonly opener: StoreOpener
  readonly #facts = new PrimaryFacts()
  readonly #recheck: Recheck
  readonly #parts: WatchParts
  readonly #watched: Watched
  readonly #resolve: () => Promise<DatabaseConfig>
  readonly #barred = new WeakSet<Store>()
  #told: WriteBar | null = null
  #looking: AbortController | null = null

  constructor(parts: WatchParts, watched: Watched, resolve: () => Promise<DatabaseConfig>) {
    this.#parts = parts
    this.#watched = watched
    this.#resolve = resolve
    this.opener = this.#facts.watching(parts.opener, () => this.changed())
    this.#recheck = new Recheck(watched.clock, recheckMs, () => this.#lookAgain())
  }

  /** The latest that was found about the declared primary; null when it was never reached. */
  get facts(): Facts | null {
    return this.#facts.of(this.#watched.config.primary?.target)
  }

  /** Why the fallback takes no writes; null when it takes them, or is nobody's fallback. */
  get bar(): WriteBar | null {
    const { config, settings } = this.#watched
    if (!config.declared) return null
    return settings.fallbackMode === 'read-only' ? 'setting' : barOf(this.facts)
  }

  /** To be called after each change of state: the fallback that is open takes writes, or none, as is known now. */
  changed(): void {
    const { bar } = this
    const { state } = this.#watched
    for (const store of heldStores(state)) this.apply(store)
    this.#recheck.want(this.#isLacking(state))
    // Whoever closes must not wait for it, and the next primary is another one.
    if (state.name !== 'PRIMARY_CONNECTED') this.#looking?.abort(new Error('The primary does not serve any more.'))
    if (bar === this.#told) return
    const isNews = bar !== 'setting' && this.#told !== 'setting'
    this.#told = bar
    if (isNews) this.#parts.observe({ type: 'fallback.writes', bar })
  }

  /** From now on no session changes this fallback, whichever way it tries; or all may again. Once its tables are made. */
  apply(store: Store): void {
    const isBarred = store.role === 'fallback' && this.bar !== null
    // One that was never barred is left alone: its address may say itself that it is to be read only.
    if (isBarred === this.#barred.has(store)) return
    if (isBarred) this.#barred.add(store)
    else this.#barred.delete(store)
    store.driver.setReadOnly?.(store.orm, isBarred)
  }

  /** Whether something is missing in the primary that serves, and may be added while it serves. */
  #isLacking(state: State<Store>): boolean {
    if (state.name !== 'PRIMARY_CONNECTED') return false
    return barOf(this.facts) !== null || this.#parts.steps.lacks(state.store)
  }

  /** Never rejects. Where every collection lacks its table no work would notice that the primary is lost: this does. */
  async #lookAgain(): Promise<void> {
    const { clock, settings } = this.#watched
    const tooLong = (): Error => new Error('Looking again took longer than a connection may.')
    const looked = this.#watched.state
    this.#looking = new AbortController()
    const limited = limitedSignal(clock, settings.limits.connectMs, this.#looking.signal, tooLong)
    try {
      const { primary } = await this.#resolve()
      if (primary !== null) await this.opener.prove(primary, { role: 'primary', proof: 'write' }, limited.signal)
      const { state } = this.#watched
      if (state.name !== 'PRIMARY_CONNECTED' || !this.#parts.steps.lacks(state.store)) return
      await untilAborted(this.#parts.steps.prepare(state.store), limited.signal)
    } catch {
      if (looked.name === 'PRIMARY_CONNECTED') await this.#watched.suspect(looked.store)
    } finally {
      this.#looking = null
      limited.end()
    }
  }
}
