import type { FieldValue } from '../declaration/validator.ts'

/** A row that may refer to others of the same request. */
interface ReferringRow {
  readonly id: string
  readonly values: ReadonlyMap<string, FieldValue>
}

/**
 * The rows in an order in which each comes behind those that it refers to by these fields, else in their own: servers check
 * references by the statement, MariaDB by the row. Rows in a circle keep their places.
 */
export function parentsFirst<T extends ReferringRow>(rows: readonly T[], fields: readonly string[]): readonly T[] {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const isOrdered = rows.every(({ values }) => fields.every((field) => !byId.has(String(values.get(field)))))
  if (isOrdered) return rows
  const begun = new Set<T>()
  const ordered: T[] = []
  const place = (row: T): void => {
    if (begun.has(row)) return
    begun.add(row)
    for (const field of fields) {
      const parent = byId.get(String(row.values.get(field)))
      if (parent !== undefined) place(parent)
    }
    ordered.push(row)
  }
  for (const row of rows) place(row)
  return ordered
}
