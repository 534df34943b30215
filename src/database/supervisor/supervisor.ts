import type { Facts, Fault } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'
import type { DatabaseConfig } from '../address/config.ts'
import { type ConnectionSettings, policyOf } from '../machine/connection-settings.ts'
import { demandsOf } from '../machine/effects.ts'
import type { Event, Happening } from '../machine/event.ts'
import { UnusableDeclaration } from '../machine/fault-of.ts'
import { harmlessKinds } from '../machine/fault-rules.ts'
import { type Policy, times } from '../machine/policy.ts'
import { heldStores, initialState, releasedStores, type State } from '../machine/state.ts'
import { transition } from '../machine/transition.ts'
import type { WriteBar } from '../machine/write-block.ts'
import { advised } from '../store/advice.ts'
import { atMost, untilAborted } from '../store/bounded.ts'
import { type Clock, systemClock } from '../store/clock.ts'
import type { StoreOpener } from '../store/engine-factory.ts'
import type { Store } from '../store/store.ts'
import { Runs } from './effect-runner.ts'
import type { Gate } from './gate.ts'
import { TransitionHistory } from './history.ts'
import { Doubt } from './liveness-check.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import { openedObservations } from './opened.ts'
import { Operations } from './operations.ts'
import { PrimaryWatch } from './primary-watch.ts'
import { Rotation } from './rotation.ts'
import { isClosed, type Serving, servingOf, unavailable } from './serving.ts'
import type { StoreSteps } from './steps.ts'
import { Retirement } from './store-closer.ts'
import { attemptFailure, faultOfState } from './transition-reason.ts'
import { Waiters } from './waiters.ts'

/** What the supervisor is made of; `service.ts` composes it. */
export interface SupervisorParts {
  readonly opener: StoreOpener
  readonly gate: Gate
  readonly steps: StoreSteps
  readonly settings: ConnectionSettings
  /** The resolution: called anew before each connection attempt, so that a rotated secret file counts. */
  resolve(): Promise<DatabaseConfig>
  /** Another word as soon as a secret file was written anew. Never rejects. */
  secretsMark(): Promise<string>
  readonly observe: Observe<DatabaseObservation>
  /** Units of work that may wait or run at once. Asked for each: settings that open nothing anew count at once. */
  maxActiveSessions(): number
  /** The machine's when absent. */
  readonly clock?: Clock
  /** In [0, 1), for jitter; `Math.random` when absent. */
  readonly random?: () => number
}

const nothingResolved: DatabaseConfig = { declared: false, primary: null, fallback: null, problems: [] }

/** The only writer of the connection's state: opens, watches, leaves and returns. Opens nothing before the first ask. */
export class Supervisor {
  readonly history: TransitionHistory = new TransitionHistory()
  readonly clock: Clock
  readonly gate: Gate
  readonly #parts: SupervisorParts
  readonly #random: () => number
  readonly #runs: Runs
  readonly #retirement: Retirement
  readonly #doubt: Doubt
  readonly #waiters = new Waiters()
  readonly #watch: PrimaryWatch
  readonly #rotation: Rotation
  #settings: ConnectionSettings
  #config: DatabaseConfig = nothingResolved
  #policy: Policy
  #state: State<Store>
  #serving: Serving | null = null
  #lastAttempt: { readonly wallMs: number; readonly fault: Fault | null } | null = null
  /** The resolution that the first ask waits for; a failed one is not kept. */
  #asking: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #generation = 0

  constructor(parts: SupervisorParts) {
    this.#parts = parts
    this.clock = parts.clock ?? systemClock
    this.gate = parts.gate
    this.#random = parts.random ?? Math.random
    this.#settings = parts.settings
    this.#policy = policyOf(parts.settings, nothingResolved)
    this.#state = initialState(this.clock.now())
    const resolve = (): Promise<DatabaseConfig> => this.#resolve()
    const { clock, gate } = this
    const { steps } = parts
    this.#watch = new PrimaryWatch(parts, this, resolve)
    const { opener } = this.#watch
    this.#rotation = new Rotation(clock, parts, this, (id) => this.#dispatch({ type: 'due', id }))
    const observe: Observe<DatabaseObservation> = (seen) => this.#observe(seen)
    const connectMs = (): number => this.#settings.limits.connectMs
    const applyBar = (store: Store): void => this.#watch.apply(store)
    const operations = new Operations({ clock, opener, steps, gate, resolve, connectMs, applyBar })
    this.#runs = new Runs(clock, operations, gate, (happening) => this.#dispatch(happening))
    this.#retirement = new Retirement(clock, gate, observe)
    // Half of QUERY_TIMEOUT: the verdict on a slow statement is ready when its limit falls.
    const limitMs = (): number => Math.min(connectMs(), this.#settings.limits.queryMs / 2)
    this.#doubt = new Doubt({ clock, opener, resolve, limitMs })
  }

  /** The state at this moment: one value, never changed in place. */
  get state(): State<Store> {
    return this.#state
  }

  /** The resolution that was last used. */
  get config(): DatabaseConfig {
    return this.#config
  }

  get settings(): ConnectionSettings {
    return this.#settings
  }

  /** Why the fallback takes no writes; null when it takes them, and of the local store, which is nobody's fallback. */
  get writeBar(): WriteBar | null {
    return this.#watch.bar
  }

  /** The latest that was found about the declared primary; null when it was never reached. */
  get primaryFacts(): Facts | null {
    return this.#watch.facts
  }

  /** Units of work that may wait or run at once, at this moment. */
  get maxActiveSessions(): number {
    return this.#parts.maxActiveSessions()
  }

  /** The last opening, probe or carrying that answered; null before the first. */
  get lastAttempt(): { readonly wallMs: number; readonly fault: Fault | null } | null {
    return this.#lastAttempt
  }

  /** What serves at this moment, without asking for anything; null when nothing does. */
  get current(): Serving | null {
    return this.#serving
  }

  /** Asks for a store and resolves with the state reached: one serves, or CONNECTION_ERROR, or closed. Never rejects. */
  async open(): Promise<State<Store>> {
    return await this.#settled()
  }

  /**
   * The store that serves: opened when there is none, once for all that wait. A failure is not kept: the next call finds
   * what is there then.
   *
   * @throws HoldfastError STORE_UNAVAILABLE while nothing can be reached, CLOSING after `close`; the signal's reason.
   */
  async serving(signal?: AbortSignal): Promise<Serving> {
    for (;;) {
      if (this.#serving !== null) return this.#serving
      const state = await this.#settled(signal)
      if (state.name === 'CONNECTION_ERROR') throw unavailable(state, this.clock.now())
      if (isClosed(state)) throw new HoldfastError('CLOSING', { retryAfterS: 1 })
    }
  }

  /** A fault that work met on a store. Resolves with what became of the store: when it is lost, the state says so already. */
  async report(store: Store, fault: Fault): Promise<'kept' | 'lost'> {
    return await this.#judge(store, fault)
  }

  /** A statement on this store is slow: is the database still there? Resolves as `report`. */
  async suspect(store: Store): Promise<'kept' | 'lost'> {
    return await this.#judge(store, null)
  }

  /** Leaves every store, takes the new settings and, when a store had been asked for, opens anew. */
  async reconfigure(settings: ConnectionSettings): Promise<State<Store>> {
    const wasAsked = this.#state.name !== 'DISCONNECTED' || this.#asking !== null
    this.#settings = settings
    this.#generation += 1
    this.#asking = null
    this.#dispatch({ type: 'reconfigured' })
    return wasAsked ? await this.open() : this.#state
  }

  /** Ends everything within the limit; what asks afterwards gets CLOSING. Never rejects. Safe to call twice and before `open`. */
  close(withinMs: number): Promise<void> {
    this.#closing ??= this.#close(withinMs)
    return this.#closing
  }

  /** How long the work on a store may go on when all is closed. */
  #graceMs = 0

  async #close(withinMs: number): Promise<void> {
    this.#graceMs = Math.max(0, withinMs - times.lateCloseMs)
    this.#dispatch({ type: 'closed' })
    await atMost(this.clock, withinMs, this.#retirement.ended())
  }

  #dispatch(happening: Happening<Store>): void {
    const before = this.#state
    const event: Event<Store> = { ...happening, at: this.clock.now(), chance: this.#random() }
    const after = transition(before, event, this.#policy)
    if (after !== before) {
      this.#state = after
      this.#serving = servingOf(after, this.#serving)
      this.#notice(before, event, after)
      this.#runs.match(demandsOf(after))
      this.#watch.changed()
      this.#rotation.changed()
    }
    for (const store of releasedStores(before, event, after)) this.#retirement.begin(store, this.#graceFor(event))
    if (after !== before) this.#waiters.wake()
  }

  #graceFor(event: Event<Store>): number {
    if (event.type === 'closed') return this.#graceMs
    const { limits, timeoutMs } = this.#settings
    // All requests wait for this one: no longer than they would wait for a primary.
    if (event.type === 'reconfigured') return Math.min(limits.transactionMs, timeoutMs)
    // Connections of a lost store are left by reset; all others may finish what they do.
    return event.type === 'store.lost' ? 0 : limits.transactionMs
  }

  /** Waits until something serves, nothing can, or all is closed. */
  async #settled(signal?: AbortSignal): Promise<State<Store>> {
    for (;;) {
      if (this.#serving !== null || this.#state.name === 'CONNECTION_ERROR' || isClosed(this.#state)) return this.#state
      if (this.#state.name === 'DISCONNECTED') {
        const asked = this.#ask()
        await (signal === undefined ? asked : untilAborted(asked, signal))
      } else await this.#waiters.next(signal)
    }
  }

  #ask(): Promise<void> {
    const generation = this.#generation
    // After new settings: one file must not be open twice, so what runs ends first.
    this.#asking ??= this.#retirement.ended().then(async () => {
      const config = await this.#resolve()
      if (generation !== this.#generation) return
      this.#asking = null
      this.#policy = policyOf(this.#settings, config)
      this.#dispatch({ type: 'asked' })
    })
    return this.#asking
  }

  /** Total: a resolution that fails is one in which nothing is usable. */
  async #resolve(): Promise<DatabaseConfig> {
    try {
      await this.#rotation.reading()
      this.#config = await this.#parts.resolve()
    } catch (error) {
      this.#observe({ type: 'database.defect', where: 'resolution', error })
      if (this.#config === nothingResolved) return { ...nothingResolved, declared: true }
    }
    return this.#config
  }

  async #judge(store: Store, fault: Fault | null): Promise<'kept' | 'lost'> {
    if (!heldStores(this.#state).includes(store)) return 'lost'
    if (fault !== null && harmlessKinds.has(fault.kind)) return 'kept'
    // As it is meant.
    if (fault?.kind === 'read-only' && store.role === 'fallback' && this.writeBar !== null) return 'kept'
    const found = await this.#doubt.verdictOf(store, fault)
    if (!heldStores(this.#state).includes(store)) return 'lost'
    const { verdict } = found
    this.#observe({
      type: 'store.doubted',
      label: store.label,
      why: fault === null ? 'slow' : 'fault',
      verdict,
      fault: verdict === 'lost' ? found.fault : fault,
    })
    if (verdict === 'lost') this.#dispatch({ type: 'store.lost', store, fault: found.fault })
    return verdict
  }

  /** Whoever listens must not be able to stop the machine in the middle of a step. */
  #observe(observation: DatabaseObservation): void {
    try {
      this.#parts.observe(observation)
    } catch {
      // There is nobody else to tell.
    }
  }

  #notice(before: State<Store>, event: Event<Store>, after: State<Store>): void {
    const wallMs = this.clock.wallMs()
    const failure = attemptFailure(before, event)
    const isToldByState = before.name !== after.name && faultOfState(event, after) === failure?.fault
    // A declaration that cannot be used is a problem already, and no attempt: it is told once more, by the change of state.
    const isNews = !(isToldByState && failure?.fault.cause instanceof UnusableDeclaration)
    if (failure !== null && isNews) this.#observe(failure)
    if ('id' in event && event.type !== 'due') this.#lastAttempt = { wallMs, fault: failure?.fault ?? null }
    if (event.type === 'primary.opened' || event.type === 'fallback.opened')
      for (const seen of openedObservations(event.store, this.#config.declared)) this.#observe(seen)
    if (before.name === after.name) return
    const told = faultOfState(event, after)
    const fault = told && advised(told, this.#config.primary?.target ?? null, this.#settings)
    const reason = event.type
    const { name: from, since } = before
    this.#observe({
      type: 'connection.changed',
      from,
      to: after.name,
      reason,
      declared: this.#config.declared,
      fault,
      lastedMs: event.at - since,
      store: this.#serving?.store.label ?? null,
    })
    const shown = fault === null ? null : { kind: fault.kind, code: fault.code, summary: fault.summary }
    this.history.add(wallMs, { from, to: after.name, reason, fault: shown })
  }
}
