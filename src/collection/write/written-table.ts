import { type Collection, type OnDelete, referenceOf } from '../declaration/declaration.ts'
import { Validator } from '../declaration/validator.ts'
import type { TableAccess } from '../row/table-access.ts'

/** A field of `from` that has the id of a row of `to`. */
export interface TableReference {
  readonly from: WrittenTable
  readonly field: string
  readonly to: WrittenTable
  readonly onDelete: OnDelete
}

/** A collection as it is written to. */
export interface WrittenTable {
  readonly collection: Collection
  readonly access: TableAccess
  readonly validator: Validator
  /** In the order of the declaration. */
  readonly fields: readonly string[]
  /** From its own fields. */
  readonly references: readonly TableReference[]
  /** To its rows. */
  readonly referring: readonly TableReference[]
}

/** The collections as they are written to, by name: together, since one may refer to another. */
export function writtenTables(accesses: readonly TableAccess[]): ReadonlyMap<string, WrittenTable> {
  const references: TableReference[] = []
  const tables = new Map(
    accesses.map((access): [string, WrittenTable] => {
      const { collection } = access
      const table: WrittenTable = {
        collection,
        access,
        validator: new Validator(collection),
        fields: Object.keys(collection.fields),
        get references() {
          return references.filter(({ from }) => from === table)
        },
        get referring() {
          return references.filter(({ to }) => to === table)
        },
      }
      return [collection.name, table]
    }),
  )
  for (const from of tables.values()) {
    for (const [field, declared] of Object.entries(from.collection.fields)) {
      const reference = referenceOf(declared)
      const to = reference === null ? undefined : tables.get(reference.collection)
      // A collection that could not be loaded has no rows to look for.
      if (reference !== null && to !== undefined) references.push({ from, field, to, onDelete: reference.onDelete })
    }
  }
  return tables
}
