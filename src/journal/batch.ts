import type { Store } from '../database/store/store.ts'
import type { Entry } from '../driver/facet/journal.ts'
import type { Replay } from '../driver/facet/replay.ts'
import { requestTable } from '../driver/facet/requests.ts'
import type { FaultError } from '../driver/fault.ts'
import { partsOf } from '../driver/kit/primary/row-batches.ts'
import { faultError } from '../driver/kit/read-error.ts'
import { ConflictRows, isUuid } from './conflict/conflict-rows.ts'
import { answersOf, withoutAnswers } from './conflict/parked-requests.ts'
import {
  type JudgeOptions,
  judge,
  type ParkedEntry,
  type PrimaryRows,
  type SettledEntry,
  type TablesByName,
  type Verdict,
  type Write,
} from './judge.ts'
import { attemptsOf, type LocalTransaction } from './local-transaction.ts'
import { lockRows, transactionOf } from './locking.ts'
import { writeInOrder, writeLayers } from './order/layers.ts'
import { OwnRows } from './own-rows.ts'
import type { ParkReason } from './park-reason.ts'

/** How many claims are made by one call. */
const listMax = 1_000

/** A primary, with what a batch needs of it. */
export interface BatchTarget {
  readonly store: Store
  readonly replay: Replay
  readonly own: OwnRows
  readonly conflicts: ConflictRows
  readonly tables: TablesByName
  /** The id of the file that the transactions come from. */
  readonly source: string
  /** The only primary that the transactions are for; null: whichever this is. */
  readonly identity: string | null
  readonly options: JudgeOptions
}

/** What became of a batch. Local transactions that had been carried before are in neither list. */
export interface BatchOutcome {
  readonly applied: readonly LocalTransaction[]
  readonly parked: readonly Parked[]
  /** Conflicts of the applied ones, which policies have settled. */
  readonly settled: readonly SettledEntry[]
}

/** A transaction that was kept aside. */
export type Parked = Extract<Verdict, { is: 'parked' }>

/** How far a batch has come when it fails. */
export interface BatchProgress {
  /** The primary's transaction has begun. */
  hasBegun: boolean
  /** The write that was sent last, where they are sent one by one. */
  write: Write | null
}

/** The target of a primary that accepts what a journal carries. */
export function batchTarget(
  store: Store,
  replay: Replay,
  tables: TablesByName,
  source: string,
  identity: string | null,
  options: JudgeOptions = {},
): BatchTarget {
  return {
    store,
    replay,
    own: new OwnRows(store),
    conflicts: new ConflictRows(store),
    tables,
    source,
    identity,
    options,
  }
}

/**
 * One transaction of the primary: claims, locks, judges, writes and parks. `inOrder`: writes one by one. Rejects with what
 * the driver says or `CountOff`; then nothing was changed, unless COMMIT is unknown.
 */
export async function carryBatch(
  target: BatchTarget,
  batch: readonly LocalTransaction[],
  signal: AbortSignal,
  progress: BatchProgress,
  inOrder = false,
): Promise<BatchOutcome> {
  return await inTransaction(target, progress, async () => {
    const { fresh, old } = await claimed(target, batch)
    signal.throwIfAborted()
    const rows = await lockRows(target.replay, target.tables, rowsIn([...old, ...fresh]))
    const parkedBefore = await target.conflicts.openAmong(basesIn(fresh, target.tables))
    const verdicts = judge(fresh, rows, target.tables, { ...target.options, parked: parkedBefore })
    const applied = verdicts.filter((verdict) => verdict.is === 'applied')
    const tooOld = old.map((transaction) => parkedWhole(transaction, rows, 'too_old', null))
    const parked = [...tooOld, ...verdicts.filter((verdict) => verdict.is === 'parked')]
    signal.throwIfAborted()
    const writes = applied.flatMap((verdict) => verdict.writes)
    if (inOrder) {
      const begun = (write: Write): void => {
        progress.write = write
      }
      await writeInOrder(target.replay, writes, target.tables, begun)
      progress.write = null
    } else await writeLayers(target.replay, writes, target.tables)
    const kept = await keepAnswers(target, parked, rows)
    await target.conflicts.park(kept, target.source)
    await target.conflicts.record(applied, target.source)
    signal.throwIfAborted()
    const settled = applied.flatMap((verdict) => verdict.settled)
    return { applied: applied.map(({ transaction }) => transaction), parked: kept, settled }
  })
}

/**
 * Claims one local transaction and parks it. `failed`: the write that is the reason; null: each may be. Rejects like
 * `carryBatch`.
 */
export async function parkBatch(
  target: BatchTarget,
  transaction: LocalTransaction,
  reason: ParkReason,
  failed: Write | null,
): Promise<BatchOutcome> {
  const attempt = async (shows: boolean): Promise<BatchOutcome> =>
    await inTransaction(target, { hasBegun: false, write: null }, async () => {
      const { fresh, old } = await claimed(target, [transaction])
      const rows = await lockRows(target.replay, target.tables, shows ? rowsIn([...old, ...fresh]) : [])
      const parked = [
        ...old.map((one) => parkedWhole(one, rows, 'too_old', null)),
        ...fresh.map((one) => parkedWhole(one, rows, reason, failed)),
      ]
      const kept = shows ? await keepAnswers(target, parked, rows) : parked
      await target.conflicts.park(kept, target.source)
      return { applied: [], parked: kept, settled: [] }
    })
  try {
    return await attempt(true)
  } catch (error) {
    // The primary may refuse to look for the rows, too: an id that its type does not accept, a table that is missing.
    if (target.replay.refusalOf(error) === null) throw error
    return await attempt(false)
  }
}

/** Carries the answers of requests that are parked; gives what is left to park. */
async function keepAnswers(
  { replay }: BatchTarget,
  parked: readonly Parked[],
  rows: PrimaryRows,
): Promise<readonly Parked[]> {
  const answers = answersOf(parked, rows)
  for (const some of partsOf(answers, listMax)) await replay.insert(requestTable, some)
  return parked.map(withoutAnswers)
}

async function inTransaction<R>(
  { store, replay }: BatchTarget,
  progress: BatchProgress,
  work: () => Promise<R>,
): Promise<R> {
  return await transactionOf(store, replay, async () => {
    progress.hasBegun = true
    return await work()
  })
}

/** The transactions that were claimed just now; `old` are those below the watermark. */
async function claimed(
  { store, replay, own, identity }: BatchTarget,
  batch: readonly LocalTransaction[],
): Promise<{ readonly fresh: readonly LocalTransaction[]; readonly old: readonly LocalTransaction[] }> {
  const attempts = [...new Set(batch.flatMap(attemptsOf))]
  const made = new Set<string>()
  for (const some of partsOf(attempts, listMax)) {
    for (const attempt of await replay.claim(some)) made.add(attempt)
  }
  // Read after the claims: who deletes claims moves the watermark first.
  const { id: found, watermark } = await own.identity()
  if (identity !== null && found !== identity) throw otherPrimary(store.label)
  const claimedNow = batch.filter((transaction) => attemptsOf(transaction).some((attempt) => made.has(attempt)))
  const isOld = ({ id }: LocalTransaction): boolean => watermark !== null && id.toLowerCase() < watermark
  return {
    fresh: claimedNow.filter((transaction) => !isOld(transaction)),
    old: claimedNow.filter(isOld),
  }
}

/** A pool reconnects by name: behind it may be another database by now. */
function otherPrimary(label: string): FaultError {
  const summary = `${label} is not the database that the journal is for.`
  return faultError('configuration', 'IDENTITY_CHANGED', summary, 'Check where the address of the primary leads.')
}

/** The attempts that changes build on, where it matters whether those are parked. */
function basesIn(batch: readonly LocalTransaction[], tables: TablesByName): readonly string[] {
  const bases = new Set<string>()
  for (const { base, table } of rowsIn(batch)) {
    const policy = tables.get(table)?.rules.policy
    if ((policy === 'primary-wins' || policy === 'fallback-wins') && base !== null && isUuid(base)) bases.add(base)
  }
  return [...bases]
}

function rowsIn(batch: readonly LocalTransaction[]): readonly Entry[] {
  return batch.flatMap(({ entries }) => entries)
}

function parkedWhole(
  transaction: LocalTransaction,
  rows: PrimaryRows,
  reason: ParkReason,
  failed: Write | null,
): Parked {
  const parked = transaction.entries.map((entry, at): ParkedEntry => {
    const isReason = failed === null || failed.entry.sequence === entry.sequence
    const theirs = rows.get(entry.table, entry.key)
    return { entry, position: at + 1, reason: isReason ? reason : 'with_transaction', theirs }
  })
  return { is: 'parked', transaction, parked }
}
