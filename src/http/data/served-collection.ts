import { Lists } from '../../collection/ask/lists.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import { Rows } from '../../collection/row/rows.ts'
import type { RowsDeps, TableAccess } from '../../collection/row/table-access.ts'

/** A collection with everything that answers requests for it. */
export interface ServedCollection {
  readonly collection: Collection
  readonly access: TableAccess
  /** One row. */
  readonly rows: Rows
  readonly lists: Lists
}

/** Creates what answers requests for these collections, by name: together, since one may refer to another. */
export function serveCollections(
  collections: readonly Collection[],
  deps: RowsDeps,
): ReadonlyMap<string, ServedCollection> {
  const served = collections.map((collection): ServedCollection => {
    const rows = new Rows(collection, deps)
    return { collection, access: rows.access, rows, lists: new Lists(rows) }
  })
  return new Map(served.map((one) => [one.collection.name, one]))
}
