import type { Image, ImageColumn, ImageTable } from '../driver/facet/image.ts'
import type { Entry } from '../driver/facet/journal.ts'
import { matchesImage } from './canonical.ts'
import { attemptsOf, type LocalTransaction } from './local-transaction.ts'
import { attemptColumn, type ConflictRules, parking } from './merge.ts'
import type { ParkReason } from './park-reason.ts'
import { type PolicySide, type RowChange, settleByPolicy } from './policy.ts'

/** A change that the primary is to get. */
export interface Write extends RowChange {
  readonly entry: Entry
}

/** An entry that is kept aside. */
export interface ParkedEntry {
  readonly entry: Entry
  /** Its place in the transaction; 1 for the first. */
  readonly position: number
  readonly reason: ParkReason
  /** The row in the primary; null where there is none. */
  readonly theirs: Image | null
}

/** An entry whose conflict the policy of its collection has settled; `theirs` is the row as it was found. */
export interface SettledEntry extends ParkedEntry {
  readonly as: PolicySide
}

/** What becomes of one local transaction. */
export type Verdict =
  | {
      readonly is: 'applied'
      readonly transaction: LocalTransaction
      readonly writes: readonly Write[]
      /** Entries that were in conflict. */
      readonly settled: readonly SettledEntry[]
    }
  | { readonly is: 'parked'; readonly transaction: LocalTransaction; readonly parked: readonly ParkedEntry[] }

/** The rows of the primary that a batch touches. */
export interface PrimaryRows {
  /** Null: there is no such row. */
  get(table: string, key: string): Image | null
}

/** The tables of collections, by name. */
export type TablesByName = ReadonlyMap<string, TableColumns>

/** A table with its columns by name. */
export interface TableColumns {
  readonly table: ImageTable
  readonly columns: ReadonlyMap<string, ImageColumn>
  readonly rules: ConflictRules
  /** The columns that refer to rows of other tables, each with the name of that table. */
  readonly references: ReadonlyMap<string, string>
}

/** A table that a journal is carried to; without rules, each conflict is parked. */
export interface CarriedTable extends ImageTable {
  readonly rules?: ConflictRules
  readonly references?: ReadonlyMap<string, string>
}

/** How a batch is judged. */
export interface JudgeOptions {
  /** A row of the same content counts as inserted, whichever attempt wrote it. */
  readonly acceptsEqualRows?: boolean
  /** Attempts of local transactions that are parked. */
  readonly parked?: ReadonlySet<string>
}

/** The tables by name. */
export function tablesByName(tables: readonly CarriedTable[]): TablesByName {
  return new Map(
    tables.map(({ name, columns, rules = parking, references = new Map() }) => [
      name,
      { table: { name, columns }, columns: new Map(columns.map((column) => [column.name, column])), rules, references },
    ]),
  )
}

/**
 * Decides what becomes of each local transaction, in order. An insert wants no row; an update and a delete want the base
 * attempt and the old image. Anything else is a conflict: the policy of the collection settles it, or it parks the whole
 * transaction. What builds on a parked one does not find its base: it parks, too, unless its own change can be merged. Pure;
 * each transaction is judged against the rows as the applied ones before it leave them.
 */
export function judge(
  batch: readonly LocalTransaction[],
  rows: PrimaryRows,
  tables: TablesByName,
  options: JudgeOptions = {},
): readonly Verdict[] {
  const left = new RowOverlay(rows)
  const parked = new Set(options.parked)
  return batch.map((transaction) => {
    const own = new RowOverlay(left)
    const judged = judgeEntries(transaction, own, tables, parked, options)
    if (judged.reasons.every((reason) => reason === null)) {
      left.take(own)
      return { is: 'applied', transaction, writes: judged.writes, settled: judged.settled }
    }
    for (const attempt of attemptsOf(transaction)) parked.add(attempt)
    const entries = transaction.entries.map((entry, at): ParkedEntry => {
      const reason = judged.reasons[at] ?? 'with_transaction'
      return { entry, position: at + 1, reason, theirs: left.get(entry.table, entry.key) }
    })
    return { is: 'parked', transaction, parked: entries }
  })
}

/** The reason of each entry that cannot be applied, the writes of the others, and those that a policy has settled. */
function judgeEntries(
  { entries }: LocalTransaction,
  rows: RowOverlay,
  tables: TablesByName,
  parked: ReadonlySet<string>,
  options: JudgeOptions,
): {
  readonly reasons: readonly (ParkReason | null)[]
  readonly writes: readonly Write[]
  readonly settled: readonly SettledEntry[]
} {
  const writes: Write[] = []
  const settled: SettledEntry[] = []
  const done = new Set<string>()
  const reasons = entries.map((entry, at): ParkReason | null => {
    const id = rowId(entry.table, entry.key)
    if (done.has(id)) return null
    const found = rows.get(entry.table, entry.key)
    const known = tables.get(entry.table)
    if (known === undefined) return 'target_table_missing'
    if (lacksColumn(known, entry.old) || lacksColumn(known, entry.new)) return 'target_column_missing'
    // The transaction itself was applied, and its claim is gone; what followed on this row was, too.
    if (entry.operation === 'insert' && found !== null && isInserted(entry, found, known, options)) {
      done.add(id)
      return null
    }
    const reason = reasonAgainst(entry, found, known)
    const image = entry.new === null ? null : fitted(known, entry.new)
    const settling =
      reason === null || waitsForPerson(entry, known, parked) ? null : settleByPolicy(entry, image, found, known)
    // Also where it is parked: only the first reason on a row says something.
    const change = settling === null ? { operation: entry.operation, base: entry.base, image } : settling.change
    if (change !== null) {
      // Columns that the image lacks stay.
      const isOver = change.operation === 'update' && found !== null
      rows.set(entry.table, entry.key, isOver ? { ...found, ...change.image } : change.image)
      writes.push({ entry, ...change })
    }
    if (reason === null || settling === null) return reason
    settled.push({ entry, position: at + 1, reason, theirs: found, as: settling.as })
    return null
  })
  return { reasons, writes, settled }
}

/**
 * Whether a change builds on one that is parked. Where one side wins, it would win over what nobody else has changed, or bring
 * in what waits for a person; a merge of its own difference does neither.
 */
function waitsForPerson({ base }: Entry, { rules }: TableColumns, parked: ReadonlySet<string>): boolean {
  return rules.policy !== 'merge' && base !== null && parked.has(base)
}

function isInserted(entry: Entry, found: Image, { columns }: TableColumns, options: JudgeOptions): boolean {
  if (found[attemptColumn] === entry.attempt) return true
  return options.acceptsEqualRows === true && matchesImage(columns, entry.new ?? {}, found, attemptColumn)
}

function reasonAgainst(entry: Entry, found: Image | null, { columns }: TableColumns): ParkReason | null {
  const { operation, base, old } = entry
  if (operation === 'insert') return found === null ? null : 'insert_exists'
  if (found === null) return operation === 'update' ? 'update_missing' : 'delete_missing'
  const isBase = (found[attemptColumn] ?? null) === base && matchesImage(columns, old ?? {}, found)
  if (isBase) return null
  return operation === 'update' ? 'update_differing' : 'delete_recently_updated'
}

/** A value for a column that the primary's table is not known to have; NULL needs none. */
function lacksColumn({ columns }: TableColumns, image: Image | null): boolean {
  for (const name in image) if (image[name] !== null && !columns.has(name)) return true
  return false
}

/** The image without the columns that the table lacks. */
function fitted({ columns }: TableColumns, image: Image): Image {
  for (const name in image) {
    if (!columns.has(name)) return Object.fromEntries(Object.entries(image).filter(([column]) => columns.has(column)))
  }
  return image
}

/** Rows over those below it. */
class RowOverlay implements PrimaryRows {
  readonly #below: PrimaryRows
  readonly #rows = new Map<string, { readonly table: string; readonly key: string; readonly image: Image | null }>()

  constructor(below: PrimaryRows) {
    this.#below = below
  }

  get(table: string, key: string): Image | null {
    const own = this.#rows.get(rowId(table, key))
    return own === undefined ? this.#below.get(table, key) : own.image
  }

  set(table: string, key: string, image: Image | null): void {
    this.#rows.set(rowId(table, key), { table, key, image })
  }

  /** Takes over the rows of another one. */
  take(other: RowOverlay): void {
    for (const { table, key, image } of other.#rows.values()) this.set(table, key, image)
  }
}

/** One text for the row, wherever a set of rows of several tables is kept. */
export function rowId(table: string, key: string): string {
  return `${table} ${key}`
}
