import type { Problem } from '../../config/problem.ts'
import type { Clock } from '../../database/store/clock.ts'
import type { Store } from '../../database/store/store.ts'
import type { Entry } from '../../driver/facet/journal.ts'
import type { Replay } from '../../driver/facet/replay.ts'
import type { FaultError } from '../../driver/fault.ts'
import { faultError } from '../../driver/kit/read-error.ts'
import { batchTarget } from '../../journal/batch.ts'
import { type CarriedTable, type TablesByName, tablesByName } from '../../journal/judge.ts'
import { transactionsOf } from '../../journal/local-transaction.ts'
import type { Replayer } from '../../journal/replayer.ts'
import { entriesAddressKey } from '../format/names.ts'
import { keepsTooMuchProblem } from '../problems.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { type EntriesFolder, type EntriesGroup, FolderReader, listFolders } from './folder.ts'
import { KeptEntries } from './kept.ts'
import type { EntriesObservation } from './observation.ts'
import { entriesFailure } from './problems.ts'

/** Pauses after failures. */
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/** What carries the entries that other processes left in the archive. */
export interface ForeignEntriesParts {
  readonly target: ArchiveTarget
  /** Whether a process is this one: its own journal carries them. */
  isOwn(process: string): boolean
  /** The tables that entries are carried to. */
  tables(): readonly CarriedTable[]
  readonly replayer: Pick<Replayer, 'carryPortions'>
  /** The identity of a primary; undefined: nothing can be carried to it. */
  identityOf(primary: Store): string | undefined
  readonly clock: Clock
  observe(seen: EntriesObservation): void
}

/** One look at all folders. */
interface Look {
  readonly to: Store & { readonly replay: Replay }
  readonly identity: string
  readonly kept: KeptEntries
  readonly signal: AbortSignal
}

/**
 * Carries what other processes left in the archive, whenever a primary begins to serve: each folder like a journal's file. Two
 * processes that carry the same do no harm, since claims decide. What cannot be carried stays and is named.
 */
export class ForeignEntries {
  readonly #parts: ForeignEntriesParts
  #primary: Store | null = null
  #ending = new AbortController()
  #cancel: () => void = () => {}
  #running: Promise<void> = Promise.resolve()
  #failure: Problem | null = null
  #kept: readonly Problem[] = []
  #isCarrying = false
  #pauseMs = 0

  constructor(parts: ForeignEntriesParts) {
    this.#parts = parts
  }

  get problems(): readonly Problem[] {
    return this.#failure === null ? this.#kept : [...this.#kept, this.#failure]
  }

  /** Whether the folders are being looked at, or are to be looked at again. */
  get isCarrying(): boolean {
    return this.#isCarrying || this.#failure !== null
  }

  /** The primary that serves now; null: none does. The same again changes nothing. */
  serving(primary: Store | null): void {
    if (primary === this.#primary) return
    this.#primary = primary
    this.#ending.abort()
    this.#cancel()
    if (primary === null) return
    this.#ending = new AbortController()
    this.#pauseMs = 0
    this.#begin(primary, this.#ending.signal)
  }

  /** Ends what is under way; the batch at hand is rolled back. Never rejects. */
  async close(): Promise<void> {
    this.serving(null)
    await this.#running
  }

  #begin(primary: Store, signal: AbortSignal): void {
    this.#isCarrying = true
    const before = this.#running
    this.#running = before
      .then(() => this.#carry(primary, signal))
      .then(
        () => this.#done(signal),
        (error: unknown) => this.#failed(primary, error, signal),
      )
  }

  #done(signal: AbortSignal): void {
    if (signal.aborted) return
    this.#isCarrying = false
    if (this.#failure !== null) this.#parts.observe({ type: 'entries.resumed', label: this.#parts.target.label })
    this.#failure = null
  }

  #failed(primary: Store, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return
    this.#isCarrying = false
    const { target, observe, clock } = this.#parts
    const problem = entriesFailure(target.label, error)
    if (this.#failure === null) observe({ type: 'entries.failed', label: target.label, problem, error })
    this.#failure = problem
    this.#pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, this.#pauseMs * 2))
    this.#cancel = clock.wait(this.#pauseMs, () => this.#begin(primary, signal))
  }

  async #carry(primary: Store, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { target, isOwn, identityOf } = this.#parts
    const kept = new KeptEntries()
    const folders = await listFolders(target, isOwn, signal)
    const identity = identityOf(primary)
    const { replay } = primary
    if (folders.length > 0) {
      // Its own tables may come while it serves.
      if (identity === undefined || replay === null) throw nothingAccepted(primary.label)
      const look: Look = { to: { ...primary, replay }, identity, kept, signal }
      for (const folder of folders) await this.#carryFolder(folder, look)
    }
    this.#keep(kept)
  }

  async #carryFolder(folder: EntriesFolder, look: Look): Promise<void> {
    const { target, clock, observe } = this.#parts
    const { process, hasAddress } = folder
    const { identity, kept, signal } = look
    const startedMs = clock.now()
    const seen = { entries: 0, objects: 0 }
    const reader = new FolderReader(target, folder, identity, kept)
    let left = 0
    for await (const group of reader.groups(signal)) {
      if (!(await this.#carryGroup(group, look))) left += 1
      else for (const key of group.keys) if (!(await this.#remove(key, look))) left += 1
      seen.entries += group.entries.length
      seen.objects += group.keys.length
    }
    if (left + reader.left === 0 && hasAddress) await this.#remove(entriesAddressKey(process), look)
    if (seen.objects > 0)
      observe({ type: 'entries.carried', label: target.label, process, ...seen, tookMs: clock.now() - startedMs })
  }

  /** Resolves with true when all of it was carried: a table that is not known here may be of another release. */
  async #carryGroup({ file, entries }: EntriesGroup, { to, identity, kept, signal }: Look): Promise<boolean> {
    const tables = tablesByName(this.#parts.tables())
    const known = knownAmong(entries, tables, kept)
    const target = batchTarget(to, to.replay, tables, file, identity)
    await this.#parts.replayer.carryPortions(target, oneOf(known), signal)
    return known.length === entries.length
  }

  /** Resolves with false where the right to delete is missing: carried again, it has no effect. */
  async #remove(key: string, { kept, signal }: Look): Promise<boolean> {
    const { target } = this.#parts
    try {
      await target.remove(key, signal)
      return true
    } catch (error) {
      signal.throwIfAborted()
      kept.add(keepsTooMuchProblem(target.label, error))
      return false
    }
  }

  #keep(kept: KeptEntries): void {
    const { target, observe } = this.#parts
    const before = new Set(this.#kept.map(({ message }) => message))
    this.#kept = kept.problems(target.label)
    for (const problem of this.#kept) {
      if (!before.has(problem.message)) observe({ type: 'entries.kept', label: target.label, problem })
    }
  }
}

function nothingAccepted(label: string): FaultError {
  const summary = `Holdfast's own tables in ${label} are not usable, so that nothing can be carried to it.`
  const hint = 'GET /status, with the admin token, has the SQL that creates them.'
  return faultError('configuration', 'OWN_TABLES_MISSING', summary, hint)
}

/** The entries of the transactions whose tables are all known. */
function knownAmong(entries: readonly Entry[], tables: TablesByName, kept: KeptEntries): readonly Entry[] {
  return transactionsOf(entries).flatMap((transaction) => {
    const missing = transaction.entries.filter(({ table }) => !tables.has(table))
    for (const { table } of missing) kept.unknownTable(table)
    return missing.length === 0 ? transaction.entries : []
  })
}

async function* oneOf(entries: readonly Entry[]): AsyncGenerator<readonly Entry[]> {
  if (entries.length > 0) yield entries
}
