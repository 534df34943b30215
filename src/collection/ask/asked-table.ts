import { sql } from 'kysely'
import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import type { Row, Value } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { type Collection, type FieldKind, isRequired } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { Filter } from '../filter/filter.ts'
import { fieldPath } from '../filter/paths.ts'
import type { AggregateQuery } from '../query/aggregate-query.ts'
import type { SortKey } from '../query/list-query.ts'
import type { RowTable, TableView } from '../row/row-table.ts'
import type { Column } from '../table/column.ts'
import type { Query } from '../table/compiled-query.ts'
import { FilterShaper, type ShapedFilter } from '../table/condition-shape.ts'
import { type Dialect, dialects } from '../table/dialect.ts'
import { ListQueries } from '../table/list-queries.ts'
import type { SortColumn } from '../table/page-source.ts'

/** What a statement is bound to besides its operands. */
export interface Bound {
  readonly filter?: ShapedFilter | null
  /** The place that the rows follow, by the keys of the sort. */
  readonly after?: readonly FieldValue[] | null
  /** The place that they end with. */
  readonly until?: readonly FieldValue[] | null
  readonly limit?: number
  readonly skip?: number
}

/** The table of a collection in one store, and in one view, as it is asked by filters and sorts. */
export class AskedTable {
  readonly queries: ListQueries
  readonly dialect: Dialect
  readonly table: RowTable
  readonly #collection: Collection
  readonly #columns: ReadonlyMap<string, Column>

  constructor(collection: Collection, store: Store, table: RowTable, where: string | null) {
    const { sqlDialect } = store.driver
    if (sqlDialect === undefined) {
      const detail = 'The driver of this database does not say which SQL it understands.'
      throw new HoldfastError('COLLECTION_UNAVAILABLE', { detail })
    }
    this.dialect = dialects[sqlDialect]
    this.table = table
    this.#collection = collection
    this.#columns = new Map(table.columns.map((column) => [column.name, column]))
    const options = {
      table: collection.name,
      columns: this.#columns,
      where,
      dialect: this.dialect,
      column: (field: string) => sql.ref(`${collection.name}.${field}`),
      isOtherOrder: () => false,
    }
    this.queries = new ListQueries(store.orm, options)
  }

  /** A filter as the statements of this table have it; null: all rows. */
  shape(filter: Filter | null): ShapedFilter | null {
    return FilterShaper.shape(filter, this.#columns, this.dialect)
  }

  /** The keys of a sort as columns. */
  sortColumns(sort: readonly SortKey[]): readonly SortColumn[] {
    return sort.map(({ field, isDescending }) => {
      const { scale = 0 } = fieldPath(this.#collection, field)
      const isField = Object.hasOwn(this.#collection.fields, field)
      const mayBeNull = isField && !isRequired(this.#collection, field)
      return { field, isDescending, kind: this.#column(field).field, scale, mayBeNull }
    })
  }

  /** The values of a row that was read, for these keys. */
  placeOf(row: Row, sort: readonly SortColumn[]): readonly FieldValue[] {
    return sort.map(({ field, kind }) => {
      const value = this.valueOf(row, field)
      return kind === 'instant' && typeof value === 'string' ? new Date(value) : (value as FieldValue) // As its kind has it.
    })
  }

  /** The value of a column of a row that was read, as JSON has it. */
  valueOf(row: Row, name: string): unknown {
    return JSON.parse(this.textOf(name, row[name]))
  }

  /** The JSON of a value of a column that was read. */
  textOf(name: string, raw: unknown): string {
    return this.#column(name).toJson(raw)
  }

  /** What the field of a column is. */
  kindOf(name: string): FieldKind {
    return this.#column(name).field
  }

  /** How many rows match, `most` at most. */
  async countUpTo(session: Session, filter: ShapedFilter | null, most: number): Promise<number> {
    const query = this.queries.count({ filter, sort: [], source: { fixed: [], rest: 'all' }, until: null })
    const [row] = await this.read(session, query, { filter, limit: most })
    return Number(row?.rows ?? 0)
  }

  /** Reads the groups of an aggregate, and one more than it answers. */
  readAggregate(session: Session, query: AggregateQuery, filter: ShapedFilter | null): Promise<readonly Row[]> {
    return this.read(session, this.queries.aggregate(query, filter), { filter, limit: query.limit + 1 })
  }

  /** Reads rows. */
  read(
    session: Session,
    query: Query,
    { filter, limit, skip, ...places }: Bound,
    sort: readonly SortColumn[] = [],
  ): Promise<readonly Row[]> {
    const values = operandsOf(filter ?? null)
    for (const [name, place] of [
      ['a', places.after],
      ['u', places.until],
    ] as const) {
      for (const [at, value] of (place ?? []).entries()) values[`${name}${at}`] = this.#keyOf(sort[at], value)
    }
    if (limit !== undefined) values.limit = limit
    if (skip !== undefined) values.skip = skip
    return session.statements.read(query.sql, query.bind(values))
  }

  /** Reads the row of an id with all of its columns, if it matches. */
  readOne(session: Session, filter: ShapedFilter | null, id: string): Promise<readonly Row[]> {
    const names = this.table.columns.map(({ name }) => name)
    const query = this.queries.one(filter, names)
    return session.statements.read(query.sql, query.bind({ ...operandsOf(filter), id: this.table.encodeId(id) }))
  }

  /** Reads the rows of these ids with all of their columns, if they match. */
  readSome(session: Session, filter: ShapedFilter | null, ids: readonly string[]): Promise<readonly Row[]> {
    const names = this.table.columns.map(({ name }) => name)
    // Few shapes for lists of all lengths.
    const count = 2 ** Math.ceil(Math.log2(ids.length))
    const query = this.queries.some(filter, names, count)
    const values = operandsOf(filter)
    for (let at = 0; at < count; at++) values[`id${at}`] = this.table.encodeId(ids[at] ?? ids[0] ?? '')
    return session.statements.read(query.sql, query.bind(values))
  }

  #keyOf(key: SortColumn | undefined, value: FieldValue): Value {
    return key === undefined || value === null ? null : this.#column(key.field).toDatabase(value)
  }

  #column(name: string): Column {
    const column = this.#columns.get(name)
    if (column === undefined) throw new Error(`"${this.table.name}" has no column "${name}".`)
    return column
  }
}

/** By their names in a statement. */
export function operandsOf(filter: ShapedFilter | null): Record<string, Value> {
  return Object.fromEntries((filter?.operands ?? []).map((operand, at) => [`f${at}`, operand]))
}

const known = new WeakMap<RowTable, { readonly where: string | null; readonly asked: AskedTable }[]>()

/** Views of one table: all rows, and those that a fallback has written. */
const maxViews = 4

/** The table as this view asks it. Cached with the table. */
export function askedTableOf(collection: Collection, store: Store, table: RowTable, { where }: TableView): AskedTable {
  let views = known.get(table)
  if (views === undefined) {
    views = []
    known.set(table, views)
  }
  const found = views.find((view) => view.where === where)
  if (found !== undefined) return found.asked
  const asked = new AskedTable(collection, store, table, where)
  // The condition of a fallback's own rows changes at times.
  if (views.length >= maxViews) views.shift()
  views.push({ where, asked })
  return asked
}
