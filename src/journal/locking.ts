import type { Store } from '../database/store/store.ts'
import type { Image } from '../driver/facet/image.ts'
import type { Replay } from '../driver/facet/replay.ts'
import { partsOf } from '../driver/kit/primary/row-batches.ts'
import type { PrimaryRows, TablesByName } from './judge.ts'

/** How many rows are locked by one call. */
const rowsMax = 1_000

/** A transaction of the primary in which rows are locked and written. Rejects with what `work` and the driver say. */
export async function transactionOf<R>({ orm }: Store, { isolation }: Replay, work: () => Promise<R>): Promise<R> {
  const options = isolation === undefined ? {} : { isolationLevel: isolation }
  return await orm.em.fork({ disableContextResolution: true }).transactional(work, options)
}

/**
 * Locks rows and reads them, by table and id, so that two that lock the same rows wait for each other and do not block each
 * other. Tables that are not known have no rows. Joins the open transaction.
 */
export async function lockRows(
  replay: Replay,
  tables: TablesByName,
  wanted: Iterable<{ readonly table: string; readonly key: string }>,
): Promise<PrimaryRows> {
  const keys = new Map<string, Set<string>>()
  for (const { table, key } of wanted) {
    const known = keys.get(table)
    if (known === undefined) keys.set(table, new Set([key]))
    else known.add(key)
  }
  const rows = new Map<string, ReadonlyMap<string, Image>[]>()
  for (const name of [...keys.keys()].sort()) {
    const known = tables.get(name)
    if (known === undefined) continue
    const sorted = [...(keys.get(name) ?? [])].sort()
    const found: ReadonlyMap<string, Image>[] = []
    for (const some of partsOf(sorted, rowsMax)) found.push(await replay.lock(known.table, some))
    rows.set(name, found)
  }
  return {
    get(table, key) {
      for (const found of rows.get(table) ?? []) {
        const row = found.get(key)
        if (row !== undefined) return row
      }
      return null
    },
  }
}
