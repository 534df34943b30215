import { sql } from 'kysely'
import type { Store } from '../../database/store/store.ts'
import type { Image } from '../../driver/facet/image.ts'
import type { Entry } from '../../driver/facet/journal.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { partsOf } from '../../driver/kit/primary/row-batches.ts'
import { type ParkedEntry, rowId, type SettledEntry } from '../judge.ts'
import type { LocalTransaction } from '../local-transaction.ts'
import { OwnStatements, type OwnTableColumns } from '../own-rows.ts'
import type { ParkReason } from '../park-reason.ts'
import type { PolicySide } from '../policy.ts'

/** Rows of one statement, and values in one list. */
const rowsMax = 200

/** How a conflict was settled, by a person or a policy; `retried`: its transaction was applied after all. */
export type SettledAs = PolicySide | 'retried'

/** One changed row in conflict, or of a transaction with one, without its images. */
export interface ConflictOutline {
  /** Its place in the transaction; 1 for the first. */
  readonly position: number
  readonly collection: string
  readonly row: string
  readonly operation: Entry['operation']
  readonly reason: ParkReason
  /** Null: it is open. */
  readonly settledAs: SettledAs | null
}

/** One changed row of these, with its images. */
export interface ConflictEntry extends ConflictOutline {
  /** The attempt that the row named on the fallback before the change. */
  readonly base: string | null
  /** The row on the fallback before the change; null: there was none. */
  readonly old: Image | null
  /** The row on the fallback after it; null: it was deleted. */
  readonly ours: Image | null
  /** The row in the primary when it was last looked at; null: there was none. */
  readonly theirs: Image | null
}

/**
 * A local transaction that could not be applied as it was, with what it changed; where policies settled all of its conflicts,
 * with those alone.
 */
export interface Conflict<E = ConflictEntry> {
  /** Its id. */
  readonly attempt: string
  /** The id of the local transaction: a UUIDv7 of its time. */
  readonly transaction: string
  /** The id of the file that it comes from. */
  readonly source: string
  /** Null: it is open. Of its first entry, where policies settled several in different ways. */
  readonly settledAs: SettledAs | null
  readonly entries: readonly E[]
}

const outlineColumns = [
  ...(['attempt', 'transaction', 'source', 'settled_as'] as const),
  ...(['entry', 'collection', 'row_id', 'operation', 'reason'] as const),
] as const
const entryColumns = [...outlineColumns, 'base', 'old_image', 'ours', 'theirs'] as const

/** The table `holdfast_conflict` of a primary. Its methods join the open EntityManager transaction. */
export class ConflictRows {
  readonly #own: OwnStatements

  constructor(store: Store) {
    this.#own = new OwnStatements(store)
  }

  /** Parks whole local transactions; what is parked already stays as it is. `source`: the file that they come from. */
  async park(
    parked: readonly { readonly transaction: LocalTransaction; readonly parked: readonly ParkedEntry[] }[],
    source: string,
  ): Promise<void> {
    await this.#add(parked.flatMap((one) => one.parked.map((entry) => rowOf(one.transaction, entry, source))))
  }

  /** Records conflicts that policies have settled in the same transaction. */
  async record(
    applied: readonly { readonly transaction: LocalTransaction; readonly settled: readonly SettledEntry[] }[],
    source: string,
  ): Promise<void> {
    const rows = applied.flatMap(({ transaction, settled }) =>
      settled.map((entry) => ({
        ...rowOf(transaction, entry, source),
        settled_at: sql`current_timestamp(3)`,
        settled_as: entry.as,
      })),
    )
    await this.#add(rows)
  }

  /** Which of these attempts are of transactions that are parked and open. */
  async openAmong(attempts: readonly string[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>()
    for (const some of partsOf(attempts, rowsMax)) {
      const open = this.#from.select('attempt').distinct().where('attempt', 'in', some).where('settled_at', 'is', null)
      for (const { attempt } of await this.#own.read(open)) found.add(String(attempt))
    }
    return found
  }

  async #add(rows: readonly OwnTableColumns['holdfast_conflict'][]): Promise<void> {
    for (const some of partsOf(rows, rowsMax)) {
      const attempts = [...new Set(some.map(({ attempt }) => attempt))]
      const there = this.#from.select(['attempt', 'entry']).where('attempt', 'in', attempts)
      const known = new Set((await this.#own.read(there)).map(({ attempt, entry }) => `${attempt} ${entry}`))
      const fresh = some.filter(({ attempt, entry }) => !known.has(`${attempt} ${entry}`))
      if (fresh.length > 0) await this.#own.write(this.#own.builder.insertInto('holdfast_conflict').values(fresh))
    }
  }

  /** How many parked transactions are open. */
  async countOpen(): Promise<number> {
    const open = this.#from.select((of) => of.fn.count('attempt').distinct().as('open')).where('settled_at', 'is', null)
    const [row] = await this.#own.read(open)
    return Number(row?.open ?? 0)
  }

  /** The open ones, or those that are settled, behind that transaction, oldest first. */
  async list(
    state: 'open' | 'settled',
    limit: number,
    after: string | null,
  ): Promise<readonly Conflict<ConflictOutline>[]> {
    let ids = this.#from
      .select(['transaction', 'attempt'])
      .distinct()
      .where('settled_at', state === 'open' ? 'is' : 'is not', null)
    if (after !== null) ids = ids.where('transaction', '>', after)
    const found = await this.#own.read(ids.orderBy('transaction').orderBy('attempt').limit(limit))
    if (found.length === 0) return []
    const attempts = found.map(({ attempt }) => String(attempt))
    const rows = await this.#own.read(
      this.#from
        .select([...outlineColumns])
        .where('attempt', 'in', attempts)
        .orderBy('transaction')
        .orderBy('attempt')
        .orderBy('entry'),
    )
    return grouped(rows, outlineOf)
  }

  /** The whole of one, locked until the transaction ends; null: there is none. */
  async lock(attempt: string): Promise<Conflict | null> {
    const rows = await this.#own.read(
      this.#from
        .select([...entryColumns])
        .where('attempt', '=', attempt)
        .orderBy('entry')
        .forUpdate(),
    )
    return grouped(rows, entryOf)[0] ?? null
  }

  /** The oldest open one that changed one of the same rows before this one; null: none did. */
  async older({ transaction, entries }: Conflict): Promise<string | null> {
    const collections = new Map<string, string[]>()
    for (const { collection, row } of entries) {
      collections.set(collection, [...(collections.get(collection) ?? []), row])
    }
    const found: { readonly transaction: string; readonly attempt: string }[] = []
    for (const [collection, rows] of collections) {
      for (const some of partsOf(rows, rowsMax)) {
        const [row] = await this.#own.read(
          this.#from
            .select(['transaction', 'attempt'])
            .where('settled_at', 'is', null)
            .where('transaction', '<', transaction)
            .where('collection', '=', collection)
            .where('row_id', 'in', some)
            .orderBy('transaction')
            .limit(1),
        )
        if (row !== undefined) found.push({ transaction: String(row.transaction), attempt: String(row.attempt) })
      }
    }
    return found.sort((one, other) => (one.transaction < other.transaction ? -1 : 1))[0]?.attempt ?? null
  }

  /** Stores what was found in the primary, and why the entry is parked now. */
  async found(attempt: string, entries: readonly ConflictEntry[]): Promise<void> {
    for (const { position, reason, theirs } of entries) {
      const change = this.#own.builder
        .updateTable('holdfast_conflict')
        .set({ theirs: jsonOf(theirs), reason })
        .where('attempt', '=', attempt)
        .where('entry', '=', position)
      await this.#own.write(change)
    }
  }

  /** Settles a whole one; entries that a policy has settled say so themselves. */
  async settle(attempt: string, as: SettledAs, byPolicy: readonly SettledEntry[] = []): Promise<void> {
    const change = this.#own.builder.updateTable('holdfast_conflict').where('attempt', '=', attempt)
    await this.#own.write(change.set({ settled_at: sql`current_timestamp(3)`, settled_as: as }))
    for (const { position, as: side, reason, theirs } of byPolicy) {
      await this.#own.write(
        change.set({ settled_as: side, reason, theirs: jsonOf(theirs) }).where('entry', '=', position),
      )
    }
  }

  get #from() {
    return this.#own.builder.selectFrom('holdfast_conflict')
  }
}

function rowOf(
  { id }: LocalTransaction,
  { entry, position, reason, theirs }: ParkedEntry,
  source: string,
): OwnTableColumns['holdfast_conflict'] {
  return {
    attempt: entry.attempt,
    entry: position,
    transaction: id,
    source,
    collection: plain(entry.table),
    row_id: plain(entry.key),
    operation: entry.operation,
    reason,
    // Another program may have written anything; the old image has it.
    base: entry.base !== null && isUuid(entry.base) ? entry.base : null,
    old_image: jsonOf(entry.old),
    ours: jsonOf(entry.new),
    theirs: jsonOf(theirs),
    settled_at: null,
    settled_as: null,
  }
}

function grouped<E>(rows: readonly Row[], entry: (row: Row) => E): readonly Conflict<E>[] {
  const found = new Map<string, Conflict<E> & { entries: E[] }>()
  for (const row of rows) {
    const attempt = String(row.attempt)
    const known = found.get(attempt)
    if (known !== undefined) known.entries.push(entry(row))
    else {
      found.set(attempt, {
        attempt,
        transaction: String(row.transaction),
        source: String(row.source),
        settledAs: settledAs(row),
        entries: [entry(row)],
      })
    }
  }
  return [...found.values()]
}

function outlineOf(row: Row): ConflictOutline {
  return {
    position: Number(row.entry),
    collection: String(row.collection),
    row: String(row.row_id),
    operation: row.operation as Entry['operation'], // Written by `park` alone, as the next one is.
    reason: row.reason as ParkReason,
    settledAs: settledAs(row),
  }
}

function entryOf(row: Row): ConflictEntry {
  return {
    ...outlineOf(row),
    base: row.base === null ? null : String(row.base),
    old: imageOf(row.old_image),
    ours: imageOf(row.ours),
    theirs: imageOf(row.theirs),
  }
}

function settledAs({ settled_as: as }: Row): SettledAs | null {
  return as === null ? null : (as as SettledAs) // Written by `settle` and `record` alone.
}

function imageOf(text: unknown): Image | null {
  return typeof text === 'string' ? (JSON.parse(text) as Image) : null // Written by `jsonOf`.
}

function jsonOf(image: Image | null): string | null {
  return image === null ? null : JSON.stringify(image)
}

/** A name that any column of texts accepts; the images have it exactly. */
function plain(name: string): string {
  return name.replaceAll('\0', '\u{FFFD}').slice(0, 255)
}

/** Whether a database accepts the text as an id. */
export function isUuid(text: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)
}

/** The rows that a conflict changed, each once. */
export function rowsOf(conflict: Conflict): readonly { readonly table: string; readonly key: string }[] {
  const rows = new Map(
    conflict.entries.map(({ collection, row }) => [rowId(collection, row), { table: collection, key: row }] as const),
  )
  return [...rows.values()]
}
