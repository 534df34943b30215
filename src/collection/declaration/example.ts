import { type Collection, type Field, isRequired, type StringField, type TextFormat } from './declaration.ts'

/** How many fields an example shows if fewer are required. */
const shownFields = 2

/** A valid row for people to copy: the required fields and perhaps a few more. Pure. */
export function exampleRow(collection: Collection): Readonly<Record<string, unknown>> {
  const row: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(collection.fields)) {
    const isNeeded = isRequired(collection, name) && field.default === undefined
    const isWanted = isNeeded || (Object.keys(row).length < shownFields && isObvious(field))
    if (isWanted && isWritable(collection, name, field)) row[name] = exampleOf(field)
  }
  return row
}

/** True if others than the admin may write it. */
function isWritable({ owner }: Collection, name: string, field: Field): boolean {
  return name !== owner && field.private !== true && field.readOnly !== true
}

/** True if any value of the type is valid; a value for a pattern, or the id of a row, cannot be derived. */
function isObvious(field: Field): boolean {
  return field.type !== 'string' || (field.pattern === undefined && field.references === undefined)
}

function exampleOf(field: Field): unknown {
  switch (field.type) {
    case 'string':
      return exampleText(field)
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

/** A text of each format. */
const formatExamples: Readonly<Record<Exclude<TextFormat, 'decimal'>, string>> = {
  'date-time': '2026-01-31T12:00:00Z',
  date: '2026-01-31',
  uuid: '018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f',
  email: 'ada@example.org',
  uri: 'https://example.org/',
  int64: '9007199254740993',
}

function exampleText({ enum: values, format, scale = 0, minLength = 0, maxLength }: StringField): string {
  if (values?.[0] !== undefined) return values[0]
  if (format === 'decimal') return scale === 0 ? '12' : `12.${'5'.padEnd(scale, '0')}`
  return format === undefined ? 'works'.padEnd(minLength, '.').slice(0, maxLength) : formatExamples[format]
}
