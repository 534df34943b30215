import type { Problem } from '../config/problem.ts'
import { faultOf } from '../database/machine/faults.ts'
import type { Store } from '../database/store/store.ts'
import { statementTimeoutCode } from '../database/work/failure.ts'
import type { Entry } from '../driver/facet/journal.ts'
import { FaultError } from '../driver/fault.ts'
import { type BatchOutcome, type BatchProgress, type BatchTarget, batchTarget, carryBatch, parkBatch } from './batch.ts'
import { CarryReport } from './carry-report.ts'
import { EndedConnections } from './ended-connections.ts'
import { type CarriedTable, tablesByName } from './judge.ts'
import { type LocalTransaction, transactionBatches, transactionsOf } from './local-transaction.ts'
import type { JournalObservation } from './observation.ts'
import { Openings } from './opening.ts'
import { CountOff } from './order/layers.ts'
import { reasonOfRefusal } from './park-reason.ts'
import type { PrimaryPast } from './past/primary-past.ts'
import { Marks, portionMax, readAhead } from './read-ahead.ts'

/** About how many entries one transaction of the primary carries, and the length of their images. */
const batchLimits = { entries: portionMax, weight: 4_000_000 } as const

/** How often a batch is tried that met another transaction (a deadlock, a row that was inserted meanwhile). */
const triesMax = 5

/** What a replayer works with. */
export interface ReplayerParts {
  /** The tables of collections. */
  tables(): readonly CarriedTable[]
  observe(seen: JournalObservation): void
  /** The identity of a primary as last found: its own tables may come while it is open. Absent: as found when it was opened. */
  identityOf?(primary: Store): string | undefined
  /** What primaries were seen to be and to have. Absent: nothing is known. */
  readonly past?: PrimaryPast
}

/** Called after each batch with the entries that this call has carried, and those that wait. */
export type CarryProgress = (done: number, left: number) => void

/** Why a batch is not carried as it is. */
type Failure =
  | { readonly is: 'refused'; readonly error: unknown }
  | { readonly is: 'off' }
  | { readonly is: 'ended' }
  | { readonly is: 'met' }
  | { readonly is: 'slow' }
  | { readonly is: 'failed' }

/**
 * Carries journals to primaries, exactly once: a local transaction is claimed in the transaction of the primary that applies
 * or parks it, so that it does no harm to carry it again, from a copy, or by two processes.
 */
export class Replayer {
  readonly #parts: ReplayerParts
  readonly #ended = new EndedConnections()
  readonly #openings: Openings

  constructor(parts: ReplayerParts) {
    this.#parts = parts
    this.#openings = new Openings(parts.observe, parts.identityOf, parts.past)
  }

  /**
   * Done by `carry`, once for each pair of stores, and to be called when nothing waits: addresses the journal to the primary
   * and looks whether the primary still has what was carried last. Rejects with a `FaultError`.
   */
  async opened(from: Store, to: Store): Promise<void> {
    if (from.journal === null || to.replay === null) return
    try {
      await this.#openings.meet(from, from.journal, to)
    } catch (error) {
      throw error instanceof FaultError ? error : new FaultError(faultOf(to.driver, error, 'statement'))
    }
  }

  /** What is wrong with the journal, and with the primary as the journal knows it. From memory. */
  problems(from: Store, to: Store | null): readonly Problem[] {
    return this.#openings.problems(from, to)
  }

  /**
   * Carries what waits; resolves when at most `tail` entries are left. Rejects with a `FaultError` when a database fails, and
   * when `signal` aborts: with its reason, and the batch at hand rolled back.
   */
  async carry(from: Store, to: Store, tail: number, signal: AbortSignal, progress?: CarryProgress): Promise<void> {
    const { journal } = from
    const { replay } = to
    if (journal === null || replay === null) return
    await this.opened(from, to)
    const target = batchTarget(to, replay, tablesByName(this.#parts.tables()), journal.fileId, journal.identity)
    await this.#reported(
      target,
      () => journal.counts().transactions,
      async (report) => {
        const marks = new Marks({ driver: from.driver, journal })
        try {
          await this.#drain(target, marks, tail, signal, report, progress)
        } finally {
          await marks.settled()
        }
      },
    )
  }

  async #drain(
    target: BatchTarget,
    marks: Marks,
    tail: number,
    signal: AbortSignal,
    report: CarryReport,
    progress: CarryProgress | undefined,
  ): Promise<void> {
    let [after, done] = [0, 0]
    let next = readAhead(marks.store, after)
    for (;;) {
      signal.throwIfAborted()
      if (marks.left <= tail && (await marks.settled()) <= tail) return
      const entries = await next()
      if (entries.length === 0 && after === 0) return
      // What was marked as waiting again has a lower sequence.
      after = entries.at(-1)?.sequence ?? 0
      // Read while the primary is at work; after a pass, what it has marked must not be read again.
      if (entries.length === 0) await marks.settled()
      next = readAhead(marks.store, after)
      await this.#carryEntries(target, entries, signal, report, marks)
      done += entries.length
      if (entries.length > 0) progress?.(done, Math.max(0, marks.left))
    }
  }

  /** Carries portions of whole local transactions that are in no journal. Rejects like `carry`. */
  async carryPortions(
    target: BatchTarget,
    portions: AsyncIterable<readonly Entry[]>,
    signal: AbortSignal,
    progress?: (done: number) => void,
  ): Promise<void> {
    await this.#reported(
      target,
      () => 0,
      async (report) => {
        let done = 0
        for await (const entries of portions) {
          await this.#carryEntries(target, entries, signal, report, null)
          done += entries.length
          progress?.(done)
        }
      },
    )
  }

  async #reported(
    target: BatchTarget,
    left: () => number,
    carry: (report: CarryReport) => Promise<void>,
  ): Promise<void> {
    const { label } = target.store
    const report = new CarryReport(label, this.#parts.observe, left)
    try {
      await carry(report)
    } finally {
      report.end()
    }
    if (!report.hasParked) return
    const open = await target.conflicts.countOpen().catch(() => null)
    if (open !== null) this.#parts.observe({ type: 'conflicts.counted', label, open })
  }

  async #carryEntries(
    target: BatchTarget,
    entries: readonly Entry[],
    signal: AbortSignal,
    report: CarryReport,
    marks: Marks | null,
  ): Promise<void> {
    const queue = [...transactionBatches(transactionsOf(entries), batchLimits)]
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
      signal.throwIfAborted()
      if (batch.length > this.#ended.limit) {
        queue.unshift(batch.slice(0, this.#ended.limit), batch.slice(this.#ended.limit))
        continue
      }
      const outcome = await this.#settle(target, batch, signal)
      if (outcome === null) {
        const half = Math.ceil(batch.length / 2)
        queue.unshift(batch.slice(0, half), batch.slice(half))
        continue
      }
      this.#ended.passed()
      await marks?.add(batch.flatMap((one) => one.entries.map(({ sequence }) => sequence)))
      report.add(batch, outcome)
    }
  }

  /** Carries a batch; null: it is to be halved. */
  async #settle(
    target: BatchTarget,
    batch: readonly LocalTransaction[],
    signal: AbortSignal,
  ): Promise<BatchOutcome | null> {
    const [first] = batch
    if (first === undefined) return { applied: [], parked: [], settled: [] }
    const isAlone = batch.length === 1
    if (isAlone && this.#ended.isCulprit(first.id)) return await this.#park(target, first, 'connection_ended', null)
    for (let tries = 1; ; tries += 1) {
      const progress: BatchProgress = { hasBegun: false, write: null }
      try {
        return await carryBatch(target, batch, signal, progress)
      } catch (error) {
        signal.throwIfAborted()
        const failure = failureOf(target, error, progress)
        if (failure.is === 'refused') return isAlone ? await this.#settleAlone(target, first, signal) : null
        if ((failure.is === 'met' || failure.is === 'off') && tries < triesMax) continue
        if (failure.is === 'off') return isAlone ? await this.#settleAlone(target, first, signal) : null
        if (failure.is === 'ended') {
          this.#ended.ended(batch.map(({ id }) => id))
          if (!isAlone) return null
        }
        if (failure.is === 'slow') this.#ended.slow(batch.length)
        throw new FaultError(faultOf(target.store.driver, error, 'statement'))
      }
    }
  }

  /** A transaction that was refused in bulk: one write at a time, in order; refused again, it is parked. */
  async #settleAlone(target: BatchTarget, transaction: LocalTransaction, signal: AbortSignal): Promise<BatchOutcome> {
    for (let tries = 1; ; tries += 1) {
      const progress: BatchProgress = { hasBegun: false, write: null }
      try {
        return await carryBatch(target, [transaction], signal, progress, true)
      } catch (error) {
        signal.throwIfAborted()
        const { driver } = target.store
        const failure = failureOf(target, error, progress)
        if ((failure.is === 'met' || failure.is === 'off') && tries < triesMax) continue
        if (failure.is === 'off')
          return await this.#park(target, transaction, 'refused WRITE_DISCARDED', progress.write)
        const refusal = target.replay.refusalOf(error)
        if (refusal === null) throw new FaultError(faultOf(driver, error, 'statement'))
        const reason = reasonOfRefusal(refusal, faultOf(driver, error, 'statement').code)
        return await this.#park(target, transaction, reason, progress.write)
      }
    }
  }

  async #park(...parking: Parameters<typeof parkBatch>): Promise<BatchOutcome> {
    try {
      return await parkBatch(...parking)
    } catch (error) {
      throw new FaultError(faultOf(parking[0].store.driver, error, 'statement'))
    }
  }
}

function failureOf({ store, replay }: BatchTarget, error: unknown, { hasBegun }: BatchProgress): Failure {
  if (error instanceof CountOff) return { is: 'off' }
  if (replay.refusalOf(error) !== null) return { is: 'refused', error }
  const { kind, code } = faultOf(store.driver, error, 'statement')
  if (kind === 'transient') return { is: 'met' }
  // It may have waited for a lock: that says nothing about the transactions.
  if (code === statementTimeoutCode) return { is: 'slow' }
  if (kind === 'lost' && hasBegun) return { is: 'ended' }
  return { is: 'failed' }
}
