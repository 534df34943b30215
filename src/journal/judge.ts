import type { Image, ImageColumn, ImageTable } from '../driver/facet/image.ts'
import type { Entry } from '../driver/facet/journal.ts'
import { matchesImage } from './canonical.ts'
import type { LocalTransaction } from './local-transaction.ts'
import type { ParkReason } from './park-reason.ts'

/** A change that the primary is to get. */
export interface Write {
  readonly entry: Entry
  /** The row after it, in columns that the primary has; null for a delete. */
  readonly image: Image | null
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

/** What becomes of one local transaction. */
export type Verdict =
  | { readonly is: 'applied'; readonly transaction: LocalTransaction; readonly writes: readonly Write[] }
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
}

/** How a batch is judged. */
export interface JudgeOptions {
  /** A row of the same content counts as inserted, whichever attempt wrote it. */
  readonly acceptsEqualRows?: boolean
}

export const attemptColumn = 'holdfast_attempt'

/** The tables by name. */
export function tablesByName(tables: readonly ImageTable[]): TablesByName {
  return new Map(
    tables.map((table) => [
      table.name,
      { table, columns: new Map(table.columns.map((column) => [column.name, column])) },
    ]),
  )
}

/**
 * Decides what becomes of each local transaction, in order. An insert wants no row; an update and a delete want the base
 * attempt and the old image. Anything else parks the whole transaction; what builds on it does not find its base and parks,
 * too. Pure; each transaction is judged against the rows as the applied ones before it leave them.
 */
export function judge(
  batch: readonly LocalTransaction[],
  rows: PrimaryRows,
  tables: TablesByName,
  options: JudgeOptions = {},
): readonly Verdict[] {
  const left = new RowOverlay(rows)
  return batch.map((transaction) => {
    const own = new RowOverlay(left)
    const judged = judgeEntries(transaction, own, tables, options)
    if (judged.reasons.every((reason) => reason === null)) {
      left.take(own)
      return { is: 'applied', transaction, writes: judged.writes }
    }
    const parked = transaction.entries.map((entry, at): ParkedEntry => {
      const reason = judged.reasons[at] ?? 'with_transaction'
      return { entry, position: at + 1, reason, theirs: left.get(entry.table, entry.key) }
    })
    return { is: 'parked', transaction, parked }
  })
}

/** The reason of each entry that cannot be applied, and the writes of the others. */
function judgeEntries(
  { entries }: LocalTransaction,
  rows: RowOverlay,
  tables: TablesByName,
  options: JudgeOptions,
): { readonly reasons: readonly (ParkReason | null)[]; readonly writes: readonly Write[] } {
  const writes: Write[] = []
  const done = new Set<string>()
  const reasons = entries.map((entry): ParkReason | null => {
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
    // Also where it is parked: only the first reason on a row says something. Columns that the image lacks stay.
    rows.set(entry.table, entry.key, entry.operation === 'update' && found !== null ? { ...found, ...image } : image)
    writes.push({ entry, image })
    return reason
  })
  return { reasons, writes }
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
