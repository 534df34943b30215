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
import { archiveFormat, entriesAddressKey, entriesFolder } from '../format/names.ts'
import { keepsTooMuchProblem } from '../problems.ts'
import type { ArchiveTarget } from '../target/target.ts'
import {
  type EntriesAddress,
  type EntriesRead,
  type NamedEntries,
  namedEntries,
  readAddress,
  readEntries,
} from './format.ts'
import type { EntriesObservation } from './observation.ts'
import { entriesDamaged, entriesElsewhere, entriesFailure, entriesNewer, entriesUnknown } from './problems.ts'

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

/** The folder of a process. */
interface Folder {
  readonly process: string
  readonly objects: readonly NamedEntries[]
  readonly hasAddress: boolean
}

/** Which primary the entries without an address are for. */
type Address = EntriesAddress | 'unknown' | 'unreadable'

type ReadEntries = Extract<EntriesRead, { is: 'read' }>

/** One look at all folders. */
interface Look {
  readonly to: Store & { readonly replay: Replay }
  readonly identity: string
  readonly kept: Kept
  readonly signal: AbortSignal
}

/** Why objects stay where they are. */
interface Kept {
  readonly problems: Problem[]
  /** Entries by the primary that they are for. */
  readonly elsewhere: Map<string, { label: string | null; entries: number }>
  /** Tables of entries that no collection has. */
  readonly tables: Set<string>
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
    const folders = await this.#folders(signal)
    if (folders.length === 0) return this.#keep({ problems: [], elsewhere: new Map(), tables: new Set() })
    const identity = this.#parts.identityOf(primary)
    const { replay } = primary
    // Its own tables may come while it serves.
    if (identity === undefined || replay === null) throw nothingAccepted(primary.label)
    const kept: Kept = { problems: [], elsewhere: new Map(), tables: new Set() }
    const look: Look = { to: { ...primary, replay }, identity, kept, signal }
    for (const folder of folders) await this.#carryFolder(folder, look)
    this.#keep(kept)
  }

  /** What other processes left, oldest first: the name is a UUIDv7. */
  async #folders(signal: AbortSignal): Promise<readonly Folder[]> {
    const { target, isOwn } = this.#parts
    const objects: NamedEntries[] = []
    const addresses = new Set<string>()
    for await (const page of target.list(`${entriesFolder}/`, undefined, signal)) {
      for (const { key } of page) {
        const named = namedEntries(key)
        if (named === null) addresses.add(key)
        else if (!isOwn(named.process)) objects.push(named)
      }
    }
    return [...Map.groupBy(objects, ({ process }) => process)].map(([process, found]) => ({
      process,
      objects: found,
      hasAddress: addresses.has(entriesAddressKey(process)),
    }))
  }

  async #carryFolder(folder: Folder, look: Look): Promise<void> {
    const { target, clock, observe } = this.#parts
    const { process, objects, hasAddress } = folder
    const startedMs = clock.now()
    const address = hasAddress ? await this.#address(process, look) : 'unknown'
    const seen = { entries: 0, objects: 0 }
    let left = 0
    for (const named of objects) {
      const body = await target.get(named.key, look.signal)
      // Another process has carried it meanwhile.
      if (body === null) continue
      const entries = this.#entriesOf(named, body, address, look)
      if (entries === null || !(await this.#carryObject(entries, look))) left += 1
      else if (!(await this.#remove(named.key, look))) left += 1
      if (entries === null) continue
      seen.entries += entries.entries.length
      seen.objects += 1
    }
    if (left === 0 && hasAddress) await this.#remove(entriesAddressKey(process), look)
    if (seen.objects > 0)
      observe({ type: 'entries.carried', label: target.label, process, ...seen, tookMs: clock.now() - startedMs })
  }

  /** What is for this primary; null: it stays, and why is noted. */
  #entriesOf(named: NamedEntries, body: Uint8Array, address: Address, { identity, kept }: Look): ReadEntries | null {
    const { label } = this.#parts.target
    const read = readEntries(named, body)
    if (read.is === 'newer') kept.problems.push(entriesNewer(label, named.key, read.format))
    if (read.is === 'damaged') kept.problems.push(entriesDamaged(label, named.key, read.why))
    if (read.is !== 'read') return null
    const { head } = read
    const own = head.identity === null ? address : { identity: head.identity, label: head.label }
    // For the first primary that is reached: this one.
    if (own === 'unknown' || (own !== 'unreadable' && own.identity === identity)) return read
    if (own === 'unreadable') return null
    const { entries = 0 } = kept.elsewhere.get(own.identity) ?? {}
    kept.elsewhere.set(own.identity, { label: own.label, entries: entries + head.entries })
    return null
  }

  async #address(process: string, { signal, kept }: Look): Promise<Address> {
    const { target } = this.#parts
    const key = entriesAddressKey(process)
    const body = await target.get(key, signal)
    if (body === null) return 'unknown'
    const address = readAddress(body)
    if (address !== null && address.format <= archiveFormat) return address
    kept.problems.push(
      address === null
        ? entriesDamaged(target.label, key, 'It names no primary.')
        : entriesNewer(target.label, key, address.format),
    )
    return 'unreadable'
  }

  /** Resolves with true when all of it was carried: a table that is not known here may be of another release. */
  async #carryObject({ head, entries }: ReadEntries, { to, identity, kept, signal }: Look): Promise<boolean> {
    const tables = tablesByName(this.#parts.tables())
    const known = knownAmong(entries, tables, kept.tables)
    const target = batchTarget(to, to.replay, tables, head.file, identity)
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
      const problem = keepsTooMuchProblem(target.label, error)
      if (!kept.problems.some(({ code }) => code === problem.code)) kept.problems.push(problem)
      return false
    }
  }

  #keep({ problems, elsewhere, tables }: Kept): void {
    const { target, observe } = this.#parts
    const before = new Set(this.#kept.map(({ message }) => message))
    this.#kept = [
      ...problems,
      ...[...elsewhere].map(([identity, { label, entries }]) =>
        entriesElsewhere(target.label, identity, label, entries),
      ),
      ...(tables.size === 0 ? [] : [entriesUnknown(target.label, [...tables])]),
    ]
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
function knownAmong(entries: readonly Entry[], tables: TablesByName, unknown: Set<string>): readonly Entry[] {
  return transactionsOf(entries).flatMap((transaction) => {
    const missing = transaction.entries.filter(({ table }) => !tables.has(table))
    for (const { table } of missing) unknown.add(table)
    return missing.length === 0 ? transaction.entries : []
  })
}

async function* oneOf(entries: readonly Entry[]): AsyncGenerator<readonly Entry[]> {
  if (entries.length > 0) yield entries
}
