import { sql } from 'kysely'
import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import type { Row, Value } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { type Collection, isRequired } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { Filter } from '../filter/filter.ts'
import { fieldPath } from '../filter/paths.ts'
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
    this.queries = new ListQueries(store.orm, {
      table: collection.name,
      columns: this.#columns,
      where,
      dialect: this.dialect,
      column: (field) => sql.ref(`${collection.name}.${field}`),
      isOtherOrder: () => false,
    })
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
    return JSON.parse(this.#column(name).toJson(row[name]))
  }

  /** Reads rows. */
  read(
    session: Session,
    query: Query,
    { filter, limit, skip, ...places }: Bound,
    sort: readonly SortColumn[] = [],
  ): Promise<readonly Row[]> {
    const values: Record<string, Value> = {}
    for (const [at, operand] of (filter?.operands ?? []).entries()) values[`f${at}`] = operand
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

  #keyOf(key: SortColumn | undefined, value: FieldValue): Value {
    return key === undefined || value === null ? null : this.#column(key.field).toDatabase(value)
  }

  #column(name: string): Column {
    const column = this.#columns.get(name)
    if (column === undefined) throw new Error(`"${this.table.name}" has no column "${name}".`)
    return column
  }
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
