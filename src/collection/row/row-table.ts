import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import type { Row, Value } from '../../driver/facet/statements.ts'
import type { Collection } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { type Column, columnsOf } from '../table/column.ts'
import { Queries, type ValuesByName } from '../table/queries.ts'
import { Quota } from './quota.ts'

/** Formats a row as the JSON of a response. `isOwn`: the row was encoded here, not read from a database. */
export type Serializer = (row: Row, isOwn?: boolean) => string

/** A collection in one store, created at its first use there: compiled statements, conversions, the row limit. */
export class RowTable {
  readonly queries: Queries
  readonly serialize: Serializer
  readonly quota: Quota | null
  readonly #byName: ReadonlyMap<string, Column>
  readonly #encodeId: (id: string) => Value

  constructor(store: Store, collection: Collection, now: () => number) {
    const columns = columnsOf(store.orm, collection)
    this.queries = new Queries(store.orm, collection.name, columns)
    // The last column is the attempt, which no body contains.
    this.serialize = createSerializer(columns.slice(0, -1))
    this.#byName = new Map(columns.map((column) => [column.name, column]))
    this.#encodeId = this.#byName.get('id')?.toDatabase ?? ((id) => id)
    const { maxRows } = collection
    this.quota = maxRows === undefined ? null : new Quota(maxRows, () => countRows(store, this.queries), now)
  }

  /** The values as this store saves them. */
  encode(values: ReadonlyMap<string, FieldValue>): Record<string, Value> {
    const encoded: Record<string, Value> = {}
    for (const [name, value] of values) encoded[name] = this.#byName.get(name)?.toDatabase(value) ?? null
    return encoded
  }

  /** An id or attempt as this store saves it. */
  encodeId(id: string): Value {
    return this.#encodeId(id)
  }

  /** Reads the row of this id; the result has one row or none. */
  read(session: Session, id: string): Promise<readonly Row[]> {
    return session.statements.read(this.queries.get.sql, [this.encodeId(id)])
  }

  /** Reads the newest `limit` rows; with `after`, those older than that id. */
  list(session: Session, limit: number, after: string | null): Promise<readonly Row[]> {
    const query = after === null ? this.queries.first : this.queries.after
    const values: ValuesByName = after === null ? { limit } : { limit, after: this.encodeId(after) }
    return session.statements.read(query.sql, query.bind(values))
  }
}

async function countRows(store: Store, queries: Queries): Promise<number> {
  const [row] = await store.statements.read(queries.count.sql, [])
  return Number(row?.rows ?? 0)
}

/**
 * Creates the serializer of columns, in their order. Quotes the names once; a row then costs one call per column, a third
 * of the cost of an object and `JSON.stringify`.
 */
function createSerializer(columns: readonly Column[]): Serializer {
  const parts = columns.map((column, at) => ({
    prefix: `${at === 0 ? '{' : ','}${JSON.stringify(column.name)}:`,
    name: column.name,
    toJson: column.toJson,
  }))
  return (row, isOwn = false) => {
    let text = ''
    for (const part of parts) text += part.prefix + part.toJson(row[part.name], isOwn)
    return `${text}}`
  }
}
