import { sql } from 'kysely'
import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import type { ReadNote, Row, Value } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { type Collection, type FieldKind, isRequired } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { Filter } from '../filter/filter.ts'
import { fieldPath } from '../filter/paths.ts'
import type { AggregateQuery } from '../query/aggregate-query.ts'
import { listLimits, type SortKey } from '../query/list-query.ts'
import type { ReadPlan } from '../query/read-plan.ts'
import type { RowTable, TableView } from '../row/row-table.ts'
import type { ColumnFacts, TableAccess } from '../row/table-access.ts'
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

/** What an asked table is made of. */
interface AskedParts {
  readonly collection: Collection
  readonly store: Store
  readonly table: RowTable
  readonly where: string | null
  readonly facts: ColumnFacts
}

/** The table of a collection in one store, and in one view, as it is asked by filters and sorts. */
export class AskedTable {
  readonly queries: ListQueries
  readonly dialect: Dialect
  readonly table: RowTable
  readonly #collection: Collection
  readonly #facts: ColumnFacts
  readonly #columns: ReadonlyMap<string, Column>

  constructor({ collection, store, table, where, facts }: AskedParts) {
    const { sqlDialect } = store.driver
    if (sqlDialect === undefined) {
      const detail = 'The driver of this database does not say which SQL it understands.'
      throw new HoldfastError('COLLECTION_UNAVAILABLE', { detail })
    }
    this.dialect = dialects[sqlDialect]
    this.table = table
    this.#collection = collection
    this.#facts = facts
    this.#columns = new Map(table.columns.map((column) => [column.name, column]))
    const options = {
      table: collection.name,
      columns: this.#columns,
      where,
      dialect: this.dialect,
      column: (field: string) => sql.ref(`${collection.name}.${field}`),
      isOtherOrder: (field: string) => facts.otherOrder?.has(field) === true,
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
      const mayBeNull = this.#facts.nullable?.has(field) ?? (isField && !isRequired(this.#collection, field))
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

  /**
   * The plan where an index does not serve what the declaration says, because a column orders text otherwise. Throws
   * QUERY_UNINDEXED for a sort by such a column, if the collection may be large.
   */
  fitted(plan: ReadPlan, sort: readonly SortKey[]): ReadPlan {
    const { otherOrder } = this.#facts
    const { maxRows = Number.POSITIVE_INFINITY } = this.#collection
    if (otherOrder === undefined || otherOrder.size === 0 || maxRows <= listLimits.unindexedSortRows) return plan
    const other = sort.find(({ field }) => otherOrder.has(field))
    if (other !== undefined) {
      const detail = `The column of "${other.field}" sorts text by the rules of a language, and no index by bytes.`
      const hint = 'GET /status, with the admin token, has the SQL that changes the column.'
      throw new HoldfastError('QUERY_UNINDEXED', { detail, hint })
    }
    const isServed = (part: Filter) =>
      part.is !== 'condition' ||
      !otherOrder.has(part.path.field) ||
      (this.dialect.equatesBytes && part.operator === 'eq') ||
      part.operator === 'null'
    const served = plan.served.filter(isServed)
    return { served, examined: [...plan.examined, ...plan.served.filter((part) => !isServed(part))] }
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
    note?: ReadNote,
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
    return session.statements.read(query.sql, query.bind(values), note)
  }

  /** Reads the row of an id with all of its columns, if it matches. */
  readOne(session: Session, filter: ShapedFilter | null, id: string, note?: ReadNote): Promise<readonly Row[]> {
    const names = this.table.columns.map(({ name }) => name)
    const query = this.queries.one(filter, names)
    return session.statements.read(query.sql, query.bind({ ...operandsOf(filter), id: this.table.encodeId(id) }), note)
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

const known = new WeakMap<
  RowTable,
  { readonly where: string | null; readonly facts: ColumnFacts; readonly asked: AskedTable }[]
>()

/** Views of one table: all rows, and those that a fallback has written. */
const maxViews = 4

/** The table as this view asks it. Cached with the table, until something else is known of its columns. */
export function askedTableOf(access: TableAccess, session: Session, table: RowTable, { where }: TableView): AskedTable {
  let views = known.get(table)
  if (views === undefined) {
    views = []
    known.set(table, views)
  }
  const facts = access.columnFacts(session)
  const found = views.find(
    (view) =>
      view.where === where && view.facts.otherOrder === facts.otherOrder && view.facts.nullable === facts.nullable,
  )
  if (found !== undefined) return found.asked
  const asked = new AskedTable({ collection: access.collection, store: session.store, table, where, facts })
  // The condition of a fallback's own rows changes at times.
  if (views.length >= maxViews) views.shift()
  views.push({ where, facts, asked })
  return asked
}
