import { Aggregates } from '../../collection/ask/aggregates.ts'
import { Lists } from '../../collection/ask/lists.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import { sealCursors } from '../../collection/query/cursor-seal.ts'
import { Rows } from '../../collection/row/rows.ts'
import type { RowsDeps, TableAccess } from '../../collection/row/table-access.ts'
import { WriteRunner } from '../../collection/write/write-runner.ts'
import { type WrittenTable, writtenTables } from '../../collection/write/written-table.ts'

/** A collection with everything that answers requests for it. */
export interface ServedCollection {
  readonly collection: Collection
  readonly access: TableAccess
  /** One row. */
  readonly rows: Rows
  readonly lists: Lists
  /** Any number of rows, each time in one transaction. */
  readonly written: WrittenTable
  readonly runner: WriteRunner
  readonly aggregates: Aggregates
}

/** Creates what answers requests for these collections, by name: together, since one may refer to another. */
export function serveCollections(
  collections: readonly Collection[],
  deps: RowsDeps,
): ReadonlyMap<string, ServedCollection> {
  if (deps.cursorSecret !== undefined) sealCursors(collections, deps.cursorSecret)
  const all = collections.map((collection) => new Rows(collection, deps))
  const accesses = new Map(all.map(({ access }) => [access.collection.name, access]))
  const written = writtenTables(all.map(({ access }) => access))
  const runner = new WriteRunner(deps.run)
  return new Map(
    all.flatMap((rows): [string, ServedCollection][] => {
      const { collection, access } = rows
      const table = written.get(collection.name)
      if (table === undefined) return []
      const lists = new Lists(rows, (name) => accesses.get(name))
      const aggregates = new Aggregates(access)
      return [[collection.name, { collection, access, rows, lists, aggregates, written: table, runner }]]
    }),
  )
}
