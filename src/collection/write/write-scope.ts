import { incompleteError } from '../../database/work/failure.ts'
import type { Session } from '../../database/work/session.ts'
import type { Row, Statement, Value } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { Operation } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { AnswerAge } from '../row/copied-rows.ts'
import { fresh } from '../row/precondition.ts'
import type { RowTable, TableView } from '../row/row-table.ts'
import type { ValuesByName } from '../table/compiled-query.ts'
import type { ManyQueries } from '../table/many-queries.ts'
import type { WritePlace } from './operation.ts'
import { placedError } from './place-error.ts'
import type { WrittenTable } from './written-table.ts'

/** A table inside a transaction. */
export interface OpenTable {
  readonly written: WrittenTable
  readonly rows: RowTable
  readonly view: TableView
  readonly many: ManyQueries
}

/** A row that a transaction has written; `row` null: it is gone. */
export interface TouchedRow {
  readonly table: WrittenTable
  readonly id: string
  readonly row: Row | null
  /** What a copy needs to know of it; undefined: not known. */
  readonly version?: unknown
}

/** What a transaction is about to store, for what may stand in its way. */
export interface StoredRow {
  readonly open: OpenTable
  readonly id: string
  readonly values: ValuesByName
  readonly isNew: boolean
}

/** Thrown where a transaction creates more rows in a table than were reserved: it is run again with so many. */
export class RoomNeeded extends Error {
  override readonly name = 'RoomNeeded'
  readonly table: WrittenTable
  readonly rows: number

  constructor(table: WrittenTable, rows: number) {
    super(`unreachable: ${rows} rows of ${table.collection.name} are reserved before the next try`)
    this.table = table
    this.rows = rows
  }
}

/** How many rows a transaction may create, by table; a table that is not there has no limit. */
export type ReservedRows = ReadonlyMap<WrittenTable, number>

/** One try of one transaction over rows of any number of tables. */
export class WriteScope {
  readonly session: Session
  readonly now: Date
  /** Rows that were written, for the copy. */
  readonly touched: TouchedRow[] = []
  readonly stored: StoredRow[] = []
  /** Of the operation that failed in the database. */
  failedAt: WritePlace | null = null
  /** To be called when the transaction has committed. */
  readonly committed: (() => void)[] = []
  readonly #age: AnswerAge | undefined
  readonly #reserved: ReservedRows
  readonly #created = new Map<WrittenTable, number>()
  readonly #open = new Map<WrittenTable, OpenTable>()

  constructor(session: Session, now: Date, age: AnswerAge | undefined, reserved: ReservedRows) {
    this.session = session
    this.now = now
    this.#age = age
    this.#reserved = reserved
  }

  /** Throws COLLECTION_UNAVAILABLE where the table cannot serve the operation, INCOMPLETE where its rows are too old. */
  open(written: WrittenTable, operation: Operation): OpenTable {
    const { access } = written
    const rows = access.table(this.session, operation)
    const known = this.#open.get(written)
    if (known !== undefined) return known
    const view = access.copies.viewForWrite(this.session, rows, this.#age)
    const made: OpenTable = { written, rows, view, many: rows.many(view) }
    this.#open.set(written, made)
    return made
  }

  /** Other writers wait for rows that were read with a lock; one embedded database has one writer. */
  get locks(): boolean {
    return this.session.store.driver.embedded === undefined
  }

  /** Throws where more rows are created than were reserved. */
  creating(table: WrittenTable, rows: number): void {
    if (table.collection.maxRows === undefined) return
    const sum = (this.#created.get(table) ?? 0) + rows
    this.#created.set(table, sum)
    const reserved = this.#reserved.get(table)
    if (reserved !== undefined && sum > reserved) throw new RoomNeeded(table, sum)
  }

  /** The error of one operation, placed in the request. */
  placed(error: unknown, place: WritePlace): unknown {
    if (!(error instanceof HoldfastError)) this.failedAt ??= place
    return placedError(error, place)
  }

  /** What is read here decides what is written, and what the client is told. */
  async read(queries: readonly Statement[]): Promise<readonly Row[]> {
    const { statements } = this.session
    const found: Row[] = []
    for (const { sql, values } of queries) found.push(...(await statements.read(sql, values, fresh)))
    return found
  }

  /** Gives the rows of RETURNING, and how many were changed. */
  async write(queries: readonly Statement[]): Promise<{ readonly rows: readonly Row[]; readonly changed: number }> {
    const { statements, attempt } = this.session
    const found: Row[] = []
    let sum = 0
    for (const { sql, values } of queries) {
      const { rows, changed } = await statements.write(sql, values, { attempt })
      found.push(...rows)
      sum += changed
    }
    return { rows: found, changed: sum }
  }

  /** The rows of these ids, by id. Others cannot change them until the transaction ends. */
  async lockedRows({ written, rows, many }: OpenTable, ids: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    for (const id of ids) written.access.refuseUnreplayed(this.session, id)
    // In one order, so that two transactions wait for each other in one direction.
    const sorted = [...new Set(ids)].sort()
    const found = await this.read(many.read(encoded(rows, sorted), this.locks))
    return new Map(found.map((row) => [String(row.id), row]))
  }

  /**
   * The rows of these ids, some of which may not be there, by id. Only those that are there are locked: InnoDB would lock the
   * gaps of the others, and two transactions that create rows would wait for each other.
   */
  async knownRows(open: OpenTable, ids: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    if (!this.locks) return await this.lockedRows(open, ids)
    for (const id of ids) open.written.access.refuseUnreplayed(this.session, id)
    const found = await this.read(open.many.read(encoded(open.rows, ids), false))
    const known = found.map(({ id }) => String(id))
    return known.length === 0 ? new Map() : await this.lockedRows(open, known)
  }

  /** Whether this transaction has written the row. */
  hasWritten(table: WrittenTable, id: string): boolean {
    return this.touched.some((one) => one.table === table && one.id === id)
  }

  /** The id of the row that has these values of a unique key; null: there is none. Not locked. */
  async idOfKey(
    { written, rows, view, many }: OpenTable,
    key: ReadonlyMap<string, FieldValue>,
  ): Promise<string | null> {
    if (written.access.isPartial(this.session, view)) {
      throw incompleteError('Which row has a key is known only where all rows are.')
    }
    const [found] = await this.read([many.byKey([...key.keys()], rows.encode(key))])
    return found === undefined ? null : String(found.id)
  }
}

/** Ids as the store saves them. */
export function encoded(rows: RowTable, ids: readonly string[]): readonly Value[] {
  return ids.map((id) => rows.encodeId(id))
}
