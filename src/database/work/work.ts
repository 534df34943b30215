import type { Fault, Phase } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'
import { faultOf } from '../machine/fault-of.ts'
import { times } from '../machine/policy.ts'
import { barredError } from '../machine/write-block.ts'
import { atMost, limitedSignal } from '../store/bounded.ts'
import type { Demand, Store } from '../store/store.ts'
import type { Kind } from '../supervisor/gate.ts'
import type { DatabaseObservation, Observe } from '../supervisor/observation.ts'
import type { Serving } from '../supervisor/serving.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { durabilityOf, meets } from './durability.ts'
import { errorForFault, isCommitUnknown, mayRerun, withFailedStore } from './failure.ts'
import type { Outcome, RunWork, Session, WorkOptions } from './session.ts'
import { SlowWatch, type Watched } from './slow-watch.ts'
import { WorkSession, withinTransaction } from './work-session.ts'

/** How a transaction of business code is run. */
export interface TransactionOptions {
  /** Absent: once. `before-commit`: again when it was lost before COMMIT. `always`: also after an unknown COMMIT. */
  readonly rerun?: 'before-commit' | 'always'
  readonly durability?: Demand
  readonly signal?: AbortSignal
}

/** One transaction on the active store; resolves when the outcome is known. Rejects as `RunWork`. */
export type RunTransaction = <T>(
  work: (session: Session) => Promise<T>,
  options?: TransactionOptions,
) => Promise<Outcome<T>>

/** The one place where work is run. */
export interface Work {
  readonly run: RunWork
  readonly transactional: RunTransaction
  /** Waits until writes are let in and a store serves. Rejects as `run`. */
  admit(options: Pick<WorkOptions, 'kind' | 'demand' | 'signal'>): Promise<Serving>
  /**
   * What to answer to an error that work on this store met outside `run` (a handler with a request's session): tells the
   * supervisor, too. The error itself when it says nothing of the database.
   */
  refusal(serving: Serving, error: unknown, phase: Phase): Promise<unknown>
  /** Stops watching for slow work. */
  close(): void
}

/** How far a unit of work has come: what a failure at this point means. */
type Progress = { phase: Phase }

const inStatement: Readonly<Progress> = { phase: 'statement' }
const inCommit: Readonly<Progress> = { phase: 'commit' }

/** A try that failed. */
interface Failed {
  readonly serving: Serving
  readonly session: WorkSession
  readonly error: unknown
}

type Look<T> = (session: Session) => Promise<T | null>

type Tried<T> = Failed | { readonly outcome: Outcome<T> }

/** What an earlier try of the same unit left behind. */
interface Earlier {
  readonly fault: Fault
  readonly serving: Serving
  readonly error: unknown
}

/** A lost unit is tried three times at most: more would not help. */
const mostTries = 3

/** Runs work on whatever serves. */
export function createWork(supervisor: Supervisor, observe: Observe<DatabaseObservation>): Work {
  return new WorkRoom(supervisor, observe)
}

class WorkRoom implements Work {
  readonly #supervisor: Supervisor
  readonly #observe: Observe<DatabaseObservation>
  readonly #slow: SlowWatch

  constructor(supervisor: Supervisor, observe: Observe<DatabaseObservation>) {
    this.#supervisor = supervisor
    this.#observe = observe
    const limitMs = (): number => supervisor.settings.limits.queryMs / 2
    this.#slow = new SlowWatch(supervisor.clock, limitMs, (store) => void supervisor.suspect(store))
  }

  close(): void {
    this.#slow.close()
  }

  readonly run: RunWork = (work, options, look) => {
    // A statement outside a transaction is its own COMMIT; drivers that know better say so in their FaultError.
    return this.#first(work, options, options.kind === 'write' ? inCommit : inStatement, look)
  }

  readonly transactional: RunTransaction = (work, options = {}) => {
    const { rerun = 'never', durability, signal } = options
    const progress: Progress = { phase: 'begin' }
    const inTransaction = async <T>(session: Session, unit: (session: Session) => Promise<T>): Promise<T> => {
      progress.phase = 'begin'
      return await session.em.transactional(
        async (em) => {
          progress.phase = 'statement'
          const value = await unit(withinTransaction(session, em))
          // Flushed here, so that from now on only COMMIT can fail.
          await em.flush()
          progress.phase = 'commit'
          return value
        },
        signal === undefined ? {} : { signal },
      )
    }
    return this.#first(
      (session) => inTransaction(session, work),
      {
        kind: 'write',
        rerun,
        ...(durability === undefined ? {} : { demand: durability }),
        ...(signal === undefined ? {} : { signal }),
      },
      progress,
    )
  }

  async admit(options: Pick<WorkOptions, 'kind' | 'demand' | 'signal'>): Promise<Serving> {
    return this.#current(options) ?? (await this.#awaited(options))
  }

  async refusal(serving: Serving, error: unknown, phase: Phase): Promise<unknown> {
    if (error instanceof HoldfastError) return error
    const fault = faultOf(serving.store.driver, error, phase)
    if (fault.kind === 'statement') return error
    const verdict = await this.#supervisor.report(serving.store, fault)
    return errorForFault(fault, verdict, error) ?? error
  }

  /** Counts the unit of work in, and tries it. The usual case in one function: every request pays each promise more. */
  async #first<T>(
    work: (session: Session) => Promise<T>,
    options: WorkOptions,
    progress: Readonly<Progress>,
    look?: Look<T>,
  ): Promise<Outcome<T>> {
    const { gate, maxActiveSessions } = this.#supervisor
    gate.admit(maxActiveSessions)
    try {
      const serving = this.#current(options)
      if (serving === null) return await this.#further(work, options, progress, null, look)
      const session = new WorkSession(serving, options.attempt)
      let failed: Failed
      const watched = this.#enter(serving.store, options.kind)
      try {
        return outcomeOf(serving, await work(session))
      } catch (error) {
        failed = { serving, session, error }
      } finally {
        this.#leave(serving.store, options.kind, watched)
      }
      return await this.#further(work, options, progress, failed, look)
    } finally {
      gate.dismiss()
    }
  }

  /** After an unknown COMMIT: what is seen in the same database was committed; what is not seen may still be. */
  async #found<T>(look: Look<T>, { target }: Store, attempt: string | undefined): Promise<Outcome<T> | null> {
    const { current, clock } = this.#supervisor
    if (current?.store.target.id !== target.id) return null
    let seen: T | null = null
    const looking = look(new WorkSession(current, attempt)).then((value) => {
      seen = value
    })
    await atMost(clock, times.lookMs, looking)
    return seen === null ? null : outcomeOf(current, seen)
  }

  /** Goes on after a first try that failed (`first`), or from the beginning where nothing served at once. */
  async #further<T>(
    work: (session: Session) => Promise<T>,
    options: WorkOptions,
    progress: Readonly<Progress>,
    first: Failed | null,
    look: Look<T> | undefined,
  ): Promise<Outcome<T>> {
    let { attempt } = options
    let failed = first
    let used = first === null ? null : first.serving
    let unknown: Earlier | null = null
    for (let tries = 1; ; tries += 1) {
      try {
        if (failed === null) {
          let serving = this.#current(options)
          while (serving === null) {
            await this.#awaited(options)
            // Looked at once more: between the end of the wait and this line a switch may have begun.
            serving = this.#current(options)
          }
          if (unknown !== null) refuseElsewhere(unknown, serving)
          used = serving
          const tried: Tried<T> = await this.#try(work, serving, new WorkSession(serving, attempt), options.kind)
          if ('outcome' in tried) return tried.outcome
          failed = tried
        }
        const fault = await this.#rerunnable(failed, options, progress.phase, tries)
        attempt = failed.session.drawnAttempt
        if (fault.ambiguous) unknown = { fault, serving: failed.serving, error: failed.error }
        failed = null
      } catch (error) {
        // Once a COMMIT is unknown, no later failure makes it known.
        const refused = unknown === null ? error : new HoldfastError('COMMIT_UNKNOWN', { cause: unknown.error })
        const asked = unknown ?? failed
        if (look !== undefined && asked !== null && isCommitUnknown(refused)) {
          const found = await this.#found(look, asked.serving.store, attempt ?? failed?.session.drawnAttempt)
          if (found !== null) return found
        }
        throw withFailedStore(refused, used)
      }
    }
  }

  async #try<T>(
    work: (session: Session) => Promise<T>,
    serving: Serving,
    session: WorkSession,
    kind: Kind,
  ): Promise<Tried<T>> {
    const watched = this.#enter(serving.store, kind)
    try {
      return { outcome: outcomeOf(serving, await work(session)) }
    } catch (error) {
      return { serving, session, error }
    } finally {
      this.#leave(serving.store, kind, watched)
    }
  }

  /** Counts a try in. Gives what `leave` needs to end the watch for slow work. */
  #enter(store: Store, kind: Kind): Watched | null {
    // A file of this process is never asked from outside, so nothing is gained by watching it.
    const watched = store.driver.embedded === undefined ? this.#slow.begin(store) : null
    this.#supervisor.gate.enter(store, kind)
    return watched
  }

  #leave(store: Store, kind: Kind, watched: Watched | null): void {
    this.#supervisor.gate.leave(store, kind)
    if (watched !== null) this.#slow.end(watched)
  }

  /** Resolves with the fault when the work may be run again; else rejects with what the caller gets. */
  async #rerunnable(
    { serving, session, error }: Failed,
    options: WorkOptions,
    phase: Phase,
    tries: number,
  ): Promise<Fault> {
    if (error instanceof HoldfastError || options.signal?.aborted) throw error
    const fault = faultOf(serving.store.driver, error, phase)
    if (fault.kind === 'statement') throw error
    const verdict = await this.#supervisor.report(serving.store, fault)
    const isLast = tries >= mostTries || !mayRerun(fault, verdict, options)
    // A row that breaks a rule is the caller's affair.
    if (fault.kind !== 'constraint') this.#observe({ type: 'work.failed', attempt: session.attempt, fault, isLast })
    if (isLast) throw errorForFault(fault, verdict, error) ?? error
    this.#observe({ type: 'work.rerun', attempt: session.attempt, tries, fault })
    return fault
  }

  /** What serves now, when nothing has to be waited for. */
  #current(options: Pick<WorkOptions, 'kind' | 'demand'>): Serving | null {
    const { current, gate } = this.#supervisor
    if (current === null || (options.kind === 'write' && gate.isHeld)) return null
    this.#refuseUnmet(current, options)
    return current
  }

  /** The same after waiting: for a store, and for the gate. Each wait has a limit. */
  async #awaited(options: Pick<WorkOptions, 'kind' | 'demand' | 'signal'>): Promise<Serving> {
    const { settings, clock, gate } = this.#supervisor
    const limitMs = settings.timeoutMs + settings.limits.connectMs
    const tooLong = (): HoldfastError => new HoldfastError('STORE_UNAVAILABLE', { retryAfterS: 1 })
    const limited = limitedSignal(clock, limitMs, options.signal, tooLong)
    try {
      for (;;) {
        await this.#supervisor.serving(limited.signal)
        if (options.kind === 'write') await gate.opened(limited.signal)
        const current = this.#current(options)
        if (current !== null) return current
      }
    } finally {
      limited.end()
    }
  }

  /** Refuses before anything is written what this store cannot give. */
  #refuseUnmet({ store, shown }: Serving, { kind, demand }: Pick<WorkOptions, 'kind' | 'demand'>): void {
    if (kind === 'write' && shown === 'fallback') {
      const bar = this.#supervisor.writeBar
      if (bar !== null) throw barredError(bar)
    }
    if (demand !== undefined && !meets(durabilityOf(store, shown), demand)) {
      throw new HoldfastError('DURABILITY_UNMET', { retryAfterS: 1 })
    }
  }
}

function outcomeOf<T>({ store, shown }: Serving, value: T): Outcome<T> {
  return { value, store: shown, driver: store.driver.name, durability: durabilityOf(store, shown) }
}

/** After an unknown COMMIT only the same store may be asked again: no other knows yet what became of the first try. */
function refuseElsewhere(unknown: Earlier, serving: Serving): void {
  const isSame = serving.store.target.id === unknown.serving.store.target.id
  if (!isSame) throw new HoldfastError('COMMIT_UNKNOWN', { cause: unknown.error })
}
