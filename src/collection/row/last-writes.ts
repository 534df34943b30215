import type { Store } from '../../database/store/store.ts'
import type { LastWrite } from '../../journal/past/missing-writes.ts'
import type { TableAccess } from './table-access.ts'

/**
 * What the rows of these ids in a store show of their last writes, by id; those that are not there are left out. Throws
 * COLLECTION_UNAVAILABLE where the table cannot be read; rejects with what the driver classifies.
 */
export async function lastWrites(
  access: TableAccess,
  store: Store,
  ids: readonly string[],
): Promise<ReadonlyMap<string, LastWrite>> {
  const table = access.table({ store }, 'get')
  const queries = table.many(table.plain).lastWrites(ids.map((id) => table.encodeId(id)))
  const marks = new Map<string, LastWrite>()
  for (const { sql, values } of queries) {
    // What a member of a cluster has not seen yet is not missing.
    for (const { id, version, holdfast_attempt } of await store.statements.read(sql, values, { fresh: true }))
      marks.set(String(id), { attempt: String(holdfast_attempt), version: Number(version) })
  }
  return marks
}
