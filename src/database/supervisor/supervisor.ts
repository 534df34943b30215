import type { Fault } from '../../driver/fault.ts'
import { HoldfastError } from '../../errors.ts'
import type { DatabaseConfig, DatabaseConfigSource } from '../address/config.ts'
import { type ConnectionSettings, policyOf } from '../machine/connection-settings.ts'
import { effectsOf } from '../machine/effects.ts'
import type { Event, Happening } from '../machine/event.ts'
import { unavailableError } from '../machine/faults.ts'
import { type Policy, times } from '../machine/policy.ts'
import { heldStores, initialState, isClosed, releasedStores, type State, servingStore } from '../machine/state.ts'
import { transition } from '../machine/transition.ts'
import type { WriteBlock } from '../machine/write-block.ts'
import { atMost, untilAborted } from '../store/bounded.ts'
import { type Clock, systemClock } from '../store/clock.ts'
import type { StoreOpener } from '../store/engine-factory.ts'
import type { Serving, Store } from '../store/store.ts'
import { ClusterWatch } from './cluster/cluster-watch.ts'
import { EffectRunner } from './effect-runner.ts'
import { FallbackRole } from './fallback-role.ts'
import { Gate } from './gate.ts'
import type { TransitionHistory } from './history.ts'
import { LastCarry } from './last-carry.ts'
import { LivenessCheck } from './liveness/liveness-check.ts'
import { failoverLimitMs, lossEvent } from './liveness/loss.ts'
import { StoreChecks } from './liveness/store-checks.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import { type ConnectionAttempts, type OperationParts, Operations } from './operations.ts'
import { PrimaryWatch } from './primary-watch.ts'
import { type LastAttempt, Reporter } from './reporter.ts'
import { SecretRotation } from './secret-rotation.ts'
import { emptySteps, type StoreSteps } from './steps.ts'
import { graceMs, StoreCloser } from './store-closer.ts'
import { Waiters } from './waiters.ts'

/** The parts of the supervisor; `service` composes them. */
export interface SupervisorParts {
  readonly opener: StoreOpener
  readonly settings: ConnectionSettings
  /** Asked again before each connection attempt, so that a rotated secret counts. */
  readonly config: DatabaseConfigSource
  /** None when absent. */
  readonly steps?: StoreSteps
  readonly observe?: Observe<DatabaseObservation>
  /** How many units of work may wait or run; no limit when absent. Read for each: a changed setting counts at once. */
  maxActiveSessions?(): number
  /** The system's monotonic clock when absent. */
  readonly clock?: Clock
  /** In [0, 1), for jitter; `Math.random` when absent. */
  readonly random?: () => number
}

/** The only writer of the connection's state: opens, watches, leaves and returns. Opens nothing before it is asked to. */
export class Supervisor {
  readonly clock: Clock
  readonly gate: Gate = new Gate()
  readonly watch: PrimaryWatch
  readonly cluster: ClusterWatch
  readonly #parts: SupervisorParts
  readonly #random: () => number
  readonly #reporter: Reporter
  readonly #operations: Operations
  readonly #effects: EffectRunner
  readonly #closer: StoreCloser
  readonly #checks: StoreChecks
  readonly #role: FallbackRole
  readonly #lastCarry: LastCarry
  readonly #waiters = new Waiters()
  readonly #rotation: SecretRotation
  #settings: ConnectionSettings
  #policy: Policy
  #state: State<Store>
  #serving: Serving | null = null
  /** The resolution that the first request waits for; a failed one is not kept. */
  #asking: Promise<void> | null = null
  #closing: Promise<void> | null = null
  /** The carrying at the end, during which stores stay open. */
  #lastCarried: Promise<void> | undefined
  /** How long the work on a store may go on when all is closed. */
  #graceMs = 0
  #generation = 0

  constructor(parts: SupervisorParts) {
    const { steps = emptySteps, clock = systemClock } = parts
    const { gate } = this
    this.#reporter = new Reporter(clock, parts.observe)
    this.#parts = parts
    this.clock = clock
    this.#random = parts.random ?? Math.random
    this.#settings = parts.settings
    this.#policy = policyOf(parts.settings, parts.config.current)
    this.#state = initialState(clock.now())
    const state = (): State<Store> => this.#state
    const resolve = (): Promise<DatabaseConfig> => this.#resolve()
    const observe: Observe<DatabaseObservation> = (seen) => this.#reporter.observe(seen)
    const dispatch = (happening: Happening<Store>): void => this.#dispatch(happening)
    const connectMs = (): number => this.#settings.limits.connectMs
    this.watch = new PrimaryWatch({
      clock,
      opener: parts.opener,
      steps,
      observe,
      state,
      resolve,
      settings: () => this.#settings,
      config: () => this.config,
      report: (store) => this.report(store, null),
      applied: () => this.#role.changed(),
      unblocked: () => queueMicrotask(() => this.carry()),
    })
    this.#role = new FallbackRole({ steps, state, block: () => this.writeBlock, isHeld: () => gate.isHeld })
    this.#rotation = new SecretRotation({
      clock,
      state,
      secretsFingerprint: () => parts.config.secretsFingerprint(),
      endPause: (id) => dispatch({ type: 'timer.due', id }),
    })
    const { opener } = this.watch
    const applyWriteBlock = (store: Store): void => this.watch.apply(store)
    const report: OperationParts['report'] = (store, fault) => this.report(store, fault)
    this.#operations = new Operations({ clock, opener, steps, gate, resolve, connectMs, applyWriteBlock, report })
    this.#effects = this.#createEffects(steps)
    this.#closer = new StoreCloser(clock, gate, steps, observe)
    this.#lastCarry = new LastCarry({
      ...{ clock, gate, steps, observe },
      openPrimary: (limitMs, signal) => this.#operations.openPrimaryWithin(limitMs, signal),
      close: (store) => this.#closer.begin(store, 0),
    })
    // Half of QUERY_TIMEOUT: the result of the check is there when a slow statement times out.
    const limitMs = (): number => Math.min(connectMs(), this.#settings.limits.queryMs / 2)
    const liveness = new LivenessCheck({ clock, opener, resolve, limitMs })
    const lose = (store: Store, fault: Fault): void => dispatch(lossEvent(store, fault, this.#settings))
    const limits = (): ConnectionSettings['limits'] => this.#settings.limits
    this.cluster = new ClusterWatch({ clock, observe, lose, steps, limits, watch: this.watch })
    this.#checks = new StoreChecks({ liveness, observe, state, watch: this.watch, lose })
  }

  #createEffects(steps: StoreSteps): EffectRunner {
    return new EffectRunner({
      clock: this.clock,
      operations: this.#operations,
      dispatch: (happening) => this.#dispatch(happening),
      switched: () => {
        this.#role.switched()
        this.gate.release()
      },
      drained: async (fallback) => {
        try {
          await steps.returned(fallback)
        } catch (error) {
          // They stay until the next time.
          this.#reporter.observe({ type: 'database.defect', where: 'the removal of carried rows', error })
        }
      },
    })
  }

  /** The current state: one value, never changed in place. */
  get state(): State<Store> {
    return this.#state
  }

  /** The databases that the settings declare, from memory. */
  get config(): DatabaseConfig {
    return this.#parts.config.current
  }

  get settings(): ConnectionSettings {
    return this.#settings
  }

  /** Why the fallback accepts no writes; null when it does, and where no primary is declared. */
  get writeBlock(): WriteBlock | null {
    return this.watch.block
  }

  /** How long another member of the cluster is looked for when this store is lost, in milliseconds; 0: not at all. */
  failoverMs(store: Store): number {
    return failoverLimitMs(store, this.#settings)
  }

  /** How many units of work may wait or run. */
  get maxActiveSessions(): number {
    return this.#parts.maxActiveSessions?.() ?? Number.POSITIVE_INFINITY
  }

  get attempts(): ConnectionAttempts {
    return this.#operations.attempts
  }

  /** The last opening, probe or carry that ended; null before the first. */
  get lastAttempt(): LastAttempt | null {
    return this.#reporter.lastAttempt
  }

  /** The changes of state of the last hour. */
  get history(): TransitionHistory {
    return this.#reporter.history
  }

  /** The fallback next to a declared primary, while it is open; null otherwise. */
  get fallback(): Store | null {
    if (!this.config.declared) return null
    return heldStores(this.#state).find(({ role }) => role === 'fallback') ?? null
  }

  /** The store that serves now; null when none does. Opens nothing. */
  get current(): Serving | null {
    return this.#serving
  }

  /** Asks for a store; resolves with the state reached: a store serves, or CONNECTION_ERROR, or closed. Never rejects. */
  async open(): Promise<State<Store>> {
    return await this.#settled()
  }

  /**
   * The store that serves, opened once for all that wait. A failure is not kept: the next call finds the state of then.
   *
   * @throws HoldfastError STORE_UNAVAILABLE while no store can be reached, CLOSING after `close`; the signal's reason.
   */
  async serving(signal?: AbortSignal): Promise<Serving> {
    for (;;) {
      if (this.#serving !== null) return this.#serving
      const state = await this.#settled(signal)
      if (state.name === 'CONNECTION_ERROR') throw unavailableError(state, this.clock.now())
      if (isClosed(state)) throw new HoldfastError('CLOSING', { retryAfterS: 1 })
    }
  }

  /**
   * Checks a store on which work met this fault, or on which a statement is slow (null). Resolves with what became of the
   * store; a lost one has left the state by then.
   */
  report(store: Store, fault: Fault | null): Promise<'kept' | 'lost'> {
    return this.#checks.report(store, fault)
  }

  /** To be called when something waits in the journal again while the primary serves. */
  carry(): void {
    this.#dispatch({ type: 'carry.wanted' })
  }

  /** Leaves every store, applies the new settings and, if a store had been asked for, opens again. */
  async reconfigure(settings: ConnectionSettings): Promise<State<Store>> {
    const wasAsked = this.#state.name !== 'DISCONNECTED' || this.#asking !== null
    this.#settings = settings
    this.#generation += 1
    this.#asking = null
    this.#dispatch({ type: 'reconfigured' })
    return wasAsked ? await this.open() : this.#state
  }

  /** Ends everything within the limit; later requests get CLOSING. Never rejects. Safe to call twice and before `open`. */
  close(withinMs: number): Promise<void> {
    this.#closing ??= this.#close(withinMs)
    return this.#closing
  }

  async #close(withinMs: number): Promise<void> {
    this.#graceMs = Math.max(0, withinMs - times.lateCloseMs)
    this.#lastCarried = this.#lastCarry.run(heldStores(this.#state), this.#graceMs, this.#effects.carried)
    this.#dispatch({ type: 'closed' })
    await atMost(this.clock, withinMs, this.#closer.ended())
  }

  #dispatch(happening: Happening<Store>): void {
    const before = this.#state
    const event: Event<Store> = { ...happening, at: this.clock.now(), chance: this.#random() }
    const after = transition(before, event, this.#policy)
    if (after !== before) {
      this.#state = after
      this.#serving = servingStore(after)
      this.#parts.steps?.changed(after)
      this.#reporter.notice(before, event, after, this.config, this.#settings)
      this.#effects.reconcile(effectsOf(after))
      this.watch.changed()
      this.cluster.changed(after)
      this.#rotation.changed()
    }
    for (const store of releasedStores(before, event, after)) {
      this.#closer.begin(store, graceMs(event, this.#settings) ?? this.#graceMs, this.#lastCarried)
    }
    if (after !== before) this.#waiters.wake()
  }

  /** Waits until a store serves, none can be reached, or all is closed. */
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
    // After new settings the stores of the old ones close first: no file may be open twice.
    this.#asking ??= this.#closer.ended().then(async () => {
      const config = await this.#resolve()
      if (generation !== this.#generation) return
      this.#asking = null
      this.#policy = policyOf(this.#settings, config)
      this.#dispatch({ type: 'requested' })
    })
    return this.#asking
  }

  /** Total: when re-reading fails, the configuration in memory counts. */
  async #resolve(): Promise<DatabaseConfig> {
    try {
      await this.#rotation.reading()
      return await this.#parts.config.fresh()
    } catch (error) {
      this.#reporter.observe({ type: 'database.defect', where: 'resolution', error })
      return this.config
    }
  }
}
