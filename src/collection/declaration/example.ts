import { type Collection, type Field, isInstant, isRequired } from './declaration.ts'

/** How many fields an example shows if fewer are required. */
const shownFields = 2

/** A valid row for people to copy: the required fields and perhaps a few more. Pure. */
export function exampleRow(collection: Collection): Readonly<Record<string, unknown>> {
  const row: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(collection.fields)) {
    const isWanted = isRequired(collection, name) || (Object.keys(row).length < shownFields && isObvious(field))
    if (isWanted) row[name] = exampleOf(field)
  }
  return row
}

/** True if any value of the type is valid; a value for a pattern cannot be derived. */
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
