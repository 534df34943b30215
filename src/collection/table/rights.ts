import type { Store } from '../../database/store/store.ts'
import type { Collection, Operation } from '../declaration/declaration.ts'
import { columnsOf } from './column.ts'
import type { Query, ValuesByName } from './compiled-query.ts'
import { Queries } from './queries.ts'

/** The operations that a database refuses on a table. */
export interface DeniedOperations {
  readonly operations: readonly Operation[]
  /** The same in SQL. */
  readonly rights: readonly string[]
  /** The reason, as the driver words it. */
  readonly refused: string
}

/** Rolls back what the database did not refuse. */
const allowed = new Error('The database allows it.')

const servedBy: Readonly<Record<string, readonly Operation[]>> = {
  select: ['list', 'get', 'aggregate'],
  insert: ['create'],
  update: ['update'],
  delete: ['delete'],
}

/**
 * Runs each kind of statement on a row that does not exist, each in a transaction that is rolled back: a trigger may act on
 * no row. Null if the database refuses none. Rejects with errors that say something about the database itself.
 */
export async function findDenied(store: Store, collection: Collection): Promise<DeniedOperations | null> {
  const columns = columnsOf(store.orm, collection)
  const queries = new Queries(store.orm, collection.name, columns)
  const id = columns[0]?.toDatabase('00000000-0000-0000-0000-000000000000') ?? null
  const values: ValuesByName = { ...Object.fromEntries(columns.map(({ name }) => [name, null])), id }
  const denied: { readonly right: string; readonly refused: string }[] = []
  const attempt = async (right: string, query: Query): Promise<void> => {
    const bound = query.bind(values)
    try {
      await store.orm.em.fork().transactional(async () => {
        await (right === 'select' ? store.statements.read(query.sql, bound) : store.statements.write(query.sql, bound))
        throw allowed
      })
    } catch (error) {
      if (error === allowed) return
      const { kind, summary } = store.driver.classify(error, 'statement')
      // A store that takes no writes at all is not the table's fault.
      if (kind === 'statement') denied.push({ right, refused: summary })
      else if (kind !== 'read-only') throw error
    }
  }
  await attempt('select', queries.get)
  await attempt('insert', queries.insertNone())
  await attempt('update', queries.update(Object.keys(collection.fields), false, false))
  await attempt('delete', queries.remove(false, false))
  const [first] = denied
  if (first === undefined) return null
  const rights = denied.map(({ right }) => right)
  return { operations: rights.flatMap((right) => servedBy[right] ?? []), rights, refused: first.refused }
}
