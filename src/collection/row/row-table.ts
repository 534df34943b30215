import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import type { Row, Value } from '../../driver/facet/statements.ts'
import type { Collection } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { type Column, columnsOf } from '../table/column.ts'
import { Queries, type ValuesByName } from '../table/queries.ts'
import { Quota } from './quota.ts'
import { createSerializer, type Serializer } from './serializer.ts'

/** What a collection needs in one store, made at its first use there: compiled statements, conversions, the row count. */
export class RowTable {
  readonly queries: Queries
  readonly serialize: Serializer
  readonly quota: Quota | null
  readonly #byName: ReadonlyMap<string, Column>
  readonly #encodeId: (id: string) => Value

  constructor(store: Store, collection: Collection, now: () => number) {
    const columns = columnsOf(store.orm, collection)
    this.queries = new Queries(store.orm, collection.name, columns)
    // The attempt is the last column, and in no body.
    this.serialize = createSerializer(columns.slice(0, -1))
    this.#byName = new Map(columns.map((column) => [column.name, column]))
    this.#encodeId = this.#byName.get('id')?.toDatabase ?? ((id) => id)
    const { maxRows } = collection
    this.quota = maxRows === undefined ? null : new Quota(maxRows, () => countRows(store, this.queries), now)
  }

  /** The values as this store keeps them. */
  encode(values: ReadonlyMap<string, FieldValue>): Record<string, Value> {
    const encoded: Record<string, Value> = {}
    for (const [name, value] of values) encoded[name] = this.#byName.get(name)?.toDatabase(value) ?? null
    return encoded
  }

  /** A value of the id's or attempt's column. */
  encodeId(id: string): Value {
    return this.#encodeId(id)
  }

  /** The row of this id as it is now, as the only one; none when there is none. */
  read(session: Session, id: string): Promise<readonly Row[]> {
    return session.statements.read(this.queries.get.sql, [this.encodeId(id)])
  }

  /** The newest rows, at most `limit`; those before `after` when it is given. */
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
