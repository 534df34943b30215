import type { Fault, Phase } from '../../driver/fault.ts'
import { HoldfastError } from '../../errors.ts'
import { faultOf } from '../machine/faults.ts'
import { writeBlockOf } from '../machine/write-block.ts'
import { type Archiving, noArchiving } from '../store/archiving.ts'
import type { Demand, Serving, Store } from '../store/store.ts'
import type { WorkKind } from '../supervisor/gate.ts'
import type { DatabaseObservation, Observe } from '../supervisor/observation.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { Admission, type Admitted } from './admission.ts'
import { type Done, demandedOutcome, outcomeOf } from './archived.ts'
import { ClaimCleanup } from './claim-cleanup.ts'
import { errorForFault, isCommitUnknown, isOnOneServerOnly, isResting, withFailedStore } from './failure.ts'
import { FailedTries, type FailedTry, mayGoOn } from './rerun.ts'
import type { Outcome, Progress, RunWork, Session, WorkOptions } from './session.ts'
import { type Settled, settled } from './settle.ts'
import { SlowWatch, type WatchedWork } from './slow-watch.ts'
import { inTransaction, type Unit } from './transaction.ts'
import { WorkSession } from './work-session.ts'

/** How a transaction of an application is run. */
export interface TransactionOptions {
  /**
   * Absent: once. `before-commit`: again when it was lost before COMMIT, or met another change at the same time. `always`:
   * also after an unknown COMMIT on a primary with other hosts, or with a fallback that accepts writes; there the transaction
   * claims its attempt first, so that only one try counts.
   */
  readonly rerun?: 'before-commit' | 'always'
  readonly durability?: Demand
  readonly signal?: AbortSignal
}

type FindCommitted<T> = (session: Session) => Promise<T | null>

const inStatement: Readonly<Progress> = { phase: 'statement' }
const inCommit: Readonly<Progress> = { phase: 'commit' }

/** The only place that runs work: it opens a store, holds, counts, limits, and runs again what was lost. */
export class WorkRunner {
  readonly #supervisor: Supervisor
  readonly #observe: Observe<DatabaseObservation>
  readonly #slow: SlowWatch
  readonly #claims: ClaimCleanup
  readonly #admission: Admission
  readonly #archiving: Archiving

  /** `mayUseFallback`: whether this fallback has the rows that a session of the application may read, and no others. */
  constructor(
    supervisor: Supervisor,
    observe: Observe<DatabaseObservation> = () => {},
    mayUseFallback: (fallback: Store) => boolean = () => true,
    archiving: Archiving = noArchiving,
  ) {
    this.#archiving = archiving
    this.#admission = new Admission(supervisor, mayUseFallback, archiving)
    this.#supervisor = supervisor
    this.#observe = observe
    this.#claims = new ClaimCleanup(supervisor.clock)
    // Also where a cluster may stand still for longer: its member is kept as long as it answers reads.
    const limitMs = (): number => supervisor.settings.limits.queryMs / 2
    this.#slow = new SlowWatch(supervisor.clock, limitMs, (store) => void supervisor.report(store, null))
  }

  /** Stops watching for slow work. */
  close(): void {
    this.#slow.close()
  }

  /** Deletes the claims that are no longer needed, for at most this long. To be called before the stores close. Never rejects. */
  forgetClaims(withinMs: number): Promise<void> {
    return this.#claims.close(withinMs)
  }

  /** Work that waits for a store gets this error now. */
  refuseWaiting(error: Error): void {
    this.#admission.refuseWaiting(error)
  }

  readonly run: RunWork = (work, options, findCommitted) => {
    // A statement outside a transaction is its own COMMIT; drivers that know better say so in their FaultError.
    const { kind, progress = kind === 'write' ? inCommit : inStatement } = options
    return this.#first(work, options, progress, findCommitted)
  }

  /** Runs one transaction on the active store; resolves when the outcome is known. Rejects like `RunWork`. */
  transactional<T>(work: Unit<T>, options: TransactionOptions = {}): Promise<Outcome<T>> {
    const { rerun = 'never', durability, signal } = options
    const { unit, progress } = inTransaction(work, signal)
    const demand = durability === undefined ? {} : { demand: durability }
    const limit = signal === undefined ? {} : { signal }
    const claims = rerun === 'always' ? ({ claims: true } as const) : {}
    return this.#first(unit, { kind: 'write', rerun, isBusiness: true, ...claims, ...demand, ...limit }, progress)
  }

  /** Waits until a store serves that a session of the application may use. Rejects like `run`. */
  async admit(signal: AbortSignal): Promise<Serving> {
    const options = { kind: 'read', isBusiness: true, signal } as const
    return this.#admission.current(options) ?? (await this.#admission.awaited(options))
  }

  /**
   * The error to answer with when work on this store failed outside `run` (a handler with a session of its own). Reports
   * the fault to the supervisor. Gives the same error when it says nothing about the database.
   */
  async refusal(serving: Serving, error: unknown, phase: Phase): Promise<unknown> {
    if (error instanceof HoldfastError) return error
    const fault = faultOf(serving.store.driver, error, phase)
    if (fault.kind === 'statement') return error
    const verdict = await this.#verdict(serving.store, fault)
    return errorForFault(fault, verdict, error) ?? error
  }

  /** Admits a unit of work and runs the first try: one function for the usual case, since each promise costs time. */
  async #first<T>(
    work: Unit<T>,
    options: WorkOptions & Admitted,
    progress: Readonly<Progress>,
    findCommitted?: FindCommitted<T>,
  ): Promise<Outcome<T>> {
    const { gate, maxActiveSessions } = this.#supervisor
    gate.admit(maxActiveSessions)
    try {
      const serving = this.#admission.current(options)
      if (serving === null) {
        return await this.#outcome(await this.#further(work, options, progress, null, findCommitted), options)
      }
      const session = this.#session(serving, options, options.attempt)
      let failed: FailedTry | null = null
      let done: Done<T> | null = null
      const watched = this.#enter(serving.store, options.kind)
      try {
        const value = await work(session)
        if (session.claims !== null) this.#claims.ended(serving.store, session.attempt)
        done = { serving, value }
        if (options.demand === undefined) return outcomeOf(this.#archiving, done, options)
      } catch (error) {
        failed = { serving, session, error, sinceMs: watched?.item.sinceMs ?? this.#supervisor.clock.now() }
      } finally {
        this.#leave(serving.store, options.kind, watched)
      }
      return await this.#outcome(done ?? (await this.#further(work, options, progress, failed, findCommitted)), options)
    } finally {
      gate.dismiss()
    }
  }

  /** Goes on after a first try that failed, or starts where no store served at once. */
  async #further<T>(
    work: Unit<T>,
    options: WorkOptions & Admitted,
    progress: Readonly<Progress>,
    first: FailedTry | null,
    findCommitted: FindCommitted<T> | undefined,
  ): Promise<Done<T>> {
    let { attempt } = options
    let failed = first
    let used = first === null ? null : first.serving
    let unknown: FailedTry | null = null
    const { clock, settings } = this.#supervisor
    const tries = new FailedTries(clock, settings.limits.queryMs)
    for (;;) {
      try {
        if (failed === null) {
          let serving = this.#admission.current(options)
          while (serving === null) {
            await this.#admission.awaited(options)
            // Asked again: a switch may have begun between the end of the wait and this line.
            serving = this.#admission.current(options)
          }
          const session: WorkSession = this.#session(serving, options, attempt)
          if (unknown !== null && !mayGoOn(unknown, serving, session.claims !== null, options)) {
            throw new HoldfastError('COMMIT_UNKNOWN', { cause: unknown.error })
          }
          used = serving
          const tried: FailedTry | Done<T> = await this.#try(work, session, serving, options)
          if ('value' in tried) {
            if (session.claims !== null && unknown === null) this.#claims.ended(serving.store, session.attempt)
            return tried
          }
          failed = tried
        }
        const fault = await this.#rerunnable(failed, options, progress.phase, tries)
        attempt = failed.session.drawnAttempt
        if (fault.ambiguous) unknown = failed
        failed = null
      } catch (error) {
        // The server that would be asked has the change, whether or not it lasts.
        if (used !== null && isOnOneServerOnly(faultOf(used.store.driver, error, 'commit'))) {
          throw withFailedStore(error, used)
        }
        // Once a COMMIT is unknown, no later failure makes it known.
        const refused = unknown === null ? error : new HoldfastError('COMMIT_UNKNOWN', { cause: unknown.error })
        const asked = unknown ?? failed
        if (asked === null || !isCommitUnknown(refused)) throw withFailedStore(refused, used)
        const settled = await this.#settled(asked, findCommitted)
        if (settled !== null && 'value' in settled) return { serving: asked.serving, value: settled.value }
        throw withFailedStore(settled?.error ?? refused, used)
      }
    }
  }

  async #try<T>(
    work: Unit<T>,
    session: WorkSession,
    serving: Serving,
    { kind }: WorkOptions,
  ): Promise<FailedTry | Done<T>> {
    const watched = this.#enter(serving.store, kind)
    try {
      return { serving, value: await work(session) }
    } catch (error) {
      return { serving, session, error, sinceMs: watched?.item.sinceMs ?? this.#supervisor.clock.now() }
    } finally {
      this.#leave(serving.store, kind, watched)
    }
  }

  /** The work is over: no switch waits for the archive. */
  #outcome<T>(done: Done<T>, options: WorkOptions): Promise<Outcome<T>> {
    const { clock, settings } = this.#supervisor
    return demandedOutcome(this.#archiving, done, options, clock, settings.limits.queryMs)
  }

  /** After an unknown COMMIT, for a short time and on the same server. Null: it stays unknown. */
  async #settled<T>(failed: FailedTry, find: FindCommitted<T> | undefined): Promise<Settled<T> | null> {
    const { current, clock } = this.#supervisor
    const isSame = current?.store.target.id === failed.serving.store.target.id
    // What a file shows after a failed sync may be gone after a crash.
    if (!isSame || current.store.driver.embedded !== undefined) return null
    const session = this.#session(current, { kind: 'read' }, failed.session.drawnAttempt)
    return await settled(clock, session, failed, find)
  }

  /** Whether what this primary loses may go on elsewhere: in a fallback, or on another host of its cluster. */
  #mayGoOnElsewhere(primary: Store): boolean {
    const { config, settings, writeBlock, watch } = this.#supervisor
    if (config.fallback !== null && settings.fallbackEnabled && writeBlock === null) return true
    return this.#supervisor.failoverMs(primary) > 0 && writeBlockOf(watch.facts) === null
  }

  #session(serving: Serving, { claims }: Admitted, attempt: string | undefined): WorkSession {
    const { store, shown } = serving
    const isClaiming = claims === true && shown === 'primary' && this.#mayGoOnElsewhere(store)
    return new WorkSession(serving, { attempt, claims: isClaiming ? (store.attempts?.claiming ?? null) : null })
  }

  /** Counts a try; returns what `#leave` needs to end the watch for slow work. */
  #enter(store: Store, kind: WorkKind): WatchedWork | null {
    // Only a server is probed when it is slow: a file in this process cannot be probed from outside.
    const watched = store.driver.embedded === undefined ? this.#slow.begin(store) : null
    this.#supervisor.gate.enter(store, kind)
    return watched
  }

  #leave(store: Store, kind: WorkKind, watched: WatchedWork | null): void {
    this.#supervisor.gate.leave(store, kind)
    if (watched !== null) this.#slow.end(watched)
  }

  /** Resolves with the fault as soon as the work may run again; else rejects with the error for the caller. */
  async #rerunnable(failed: FailedTry, options: WorkOptions, phase: Phase, tries: FailedTries): Promise<Fault> {
    const { serving, session, error } = failed
    if (error instanceof HoldfastError || options.signal?.aborted) throw error
    const fault = faultOf(serving.store.driver, error, phase)
    if (fault.kind === 'statement') {
      if (!tries.addMistake() || session.claims === null) throw error
      // Our tables may be gone, or the right to write to them: then nothing is claimed from now on.
      await this.#supervisor.watch.provenAgain()
      return fault
    }
    const verdict = await this.#verdict(serving.store, fault)
    const isLast = !tries.add(fault, verdict, options, failed)
    // A row that breaks a rule is the caller's mistake, not news.
    if (fault.kind !== 'constraint') this.#observe({ type: 'work.failed', attempt: session.attempt, fault, isLast })
    if (isLast) throw errorForFault(fault, verdict, error, options) ?? error
    this.#observe({ type: 'work.rerun', attempt: session.attempt, tries: tries.count, fault })
    const pauseMs = verdict === 'kept' ? tries.pauseMs(Math.random()) : 0
    if (pauseMs > 0) await new Promise<void>((resolve) => this.#supervisor.clock.wait(pauseMs, resolve))
    return fault
  }

  /** What became of a store that met this fault. */
  async #verdict(store: Store, fault: Fault): Promise<'kept' | 'lost'> {
    // A fallback that makes way for the primary is healthy, and so is a server whose standby is not.
    return isResting(fault) || isOnOneServerOnly(fault) ? 'kept' : await this.#supervisor.report(store, fault)
  }
}
