import { type Collection, type Field, isInstant, isRequired } from './declaration.ts'

/** How many fields an example shows when fewer are required. */
const shownFields = 2

/** A row that the collection would take, for people to copy: what is required, and a little more. Pure. */
export function exampleRow(collection: Collection): Readonly<Record<string, unknown>> {
  const row: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(collection.fields)) {
    const isWanted = isRequired(collection, name) || (Object.keys(row).length < shownFields && isObvious(field))
    if (isWanted) row[name] = exampleOf(field)
  }
  return row
}

/** True when any value of the type will do: a pattern would have to be understood first. */
function isObvious(field: Field): boolean {
  return field.type !== 'string' || field.pattern === undefined
}

function exampleOf(field: Field): unknown {
  switch (field.type) {
    case 'string':
      return (
        field.enum?.[0] ??
        (isInstant(field)
          ? '2026-01-31T12:00:00Z'
          : 'works'.padEnd(field.minLength ?? 0, '.').slice(0, field.maxLength))
      )
    case 'integer':
    case 'number':
      return field.enum?.[0] ?? field.maximum ?? field.minimum ?? 1
    case 'boolean':
      return true
    case 'object':
      return {}
    case 'array':
      return []
  }
}
