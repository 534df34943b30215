import {
  bounds,
  type Collection,
  type Declared,
  type Field,
  isRequired,
  longestOf,
  type TextFormat,
  type TextKeywords,
} from './declaration.ts'

/** Whole numbers that JSON represents exactly. */
export const safeIntegers: { readonly minimum: number; readonly maximum: number } = {
  minimum: Number.MIN_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
}

/** What is not a keyword of JSON Schema, or says something about a column. */
const ownKeywords: ReadonlySet<string> = new Set([
  ...['description', 'default', 'private', 'readOnly', 'writeOnly', 'unique', 'index', 'references', 'sum'],
  ...['format', 'scale', 'properties', 'items'],
])

type Schema = Readonly<Record<string, unknown>>

/** The JSON Schema of one value of a field, with the keywords of `createAjv`. */
export function fieldSchema(field: Field): Schema {
  if (field.type === 'object') return { maxBytes: bounds.defaultBytes, ...valueSchema(field) }
  if (field.type === 'array')
    return { maxItems: bounds.defaultItems, maxBytes: bounds.defaultBytes, ...valueSchema(field) }
  return valueSchema(field)
}

/** Of a field, a declared member or an item. Members may be null: they have no value then. */
function valueSchema(declared: Declared): Schema {
  const keywords = Object.fromEntries(Object.entries(declared).filter(([keyword]) => !ownKeywords.has(keyword)))
  if (declared.type === 'integer') return { ...safeIntegers, ...keywords }
  if (declared.type === 'string') {
    const { format, scale = 0 } = declared
    // Each format has its own maximum length, so it is never checked on longer text.
    const text = { ...keywords, maxLength: longestOf(declared) }
    if (format === undefined) return text
    return format === 'decimal' ? { ...text, decimalScale: scale } : { ...text, format }
  }
  if (declared.type === 'object' && declared.properties !== undefined) {
    const members = Object.entries(declared.properties).map(([name, member]) => [name, orNull(valueSchema(member))])
    return { ...keywords, properties: Object.fromEntries(members) }
  }
  if (declared.type === 'array' && declared.items !== undefined)
    return { ...keywords, items: valueSchema(declared.items) }
  return keywords
}

/** The JSON Schema of a body. All fields are optional: creates and changes require different ones. */
export function bodySchema(collection: Collection): Schema {
  const properties = Object.entries(collection.fields).map(([name, field]) => {
    const schema = fieldSchema(field)
    return [name, isRequired(collection, name) ? schema : orNull(schema)]
  })
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) }
}

function orNull(schema: Schema): Schema {
  const { enum: values } = schema
  const nullable = { ...schema, type: [schema.type, 'null'] }
  return Array.isArray(values) ? { ...nullable, enum: [...values, null] } : nullable
}

/** The values that a field, a member or an item accepts, in words: `an integer from 1 to 5`. */
export function accepts(field: Declared): string {
  switch (field.type) {
    case 'string':
      return acceptsText(field)
    case 'integer':
    case 'number': {
      if (field.enum !== undefined) return `one of ${field.enum.join(', ')}`
      return `${field.type === 'integer' ? 'an integer' : 'a number'}${rangeOf(field.minimum, field.maximum)}`
    }
    case 'boolean':
      return 'true or false'
    case 'object': {
      const maxBytes = 'maxBytes' in field ? field.maxBytes : undefined
      return `an object of at most ${maxBytes ?? bounds.defaultBytes} bytes of JSON`
    }
    case 'array': {
      const items = field.items === undefined ? '' : `, each ${accepts(field.items)}`
      return `an array of at most ${field.maxItems ?? bounds.defaultItems} items and ${field.maxBytes ?? bounds.defaultBytes} bytes of JSON${items}`
    }
  }
}

/** What each format accepts. */
const formatTexts: Readonly<Record<Exclude<TextFormat, 'decimal' | 'email' | 'uri'>, string>> = {
  'date-time': 'a date and time such as "2026-01-31T12:00:00Z" (RFC 3339 with an offset)',
  date: 'a day such as "2026-01-31"',
  uuid: 'a UUID such as "018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"',
  int64: 'a whole number of 64 bits as text, such as "9007199254740993"',
}

function acceptsText(field: TextKeywords): string {
  const { format, minLength = 0, pattern } = field
  if (format === 'decimal') {
    const { scale = 0 } = field
    const example = scale === 0 ? '12' : `12.${'5'.padEnd(scale, '0')}`
    return `a decimal as text, such as "${example}", with at most ${bounds.decimalDigits - scale} digits before the point and ${scale} behind it`
  }
  if (format !== undefined && format !== 'email' && format !== 'uri') return formatTexts[format]
  if (field.enum !== undefined) return `one of ${field.enum.map((value) => JSON.stringify(value)).join(', ')}`
  const what = format === undefined ? 'text' : format === 'email' ? 'an email address' : 'a URI'
  const maxLength = longestOf(field)
  const length = minLength > 0 ? `${minLength} to ${maxLength}` : `at most ${maxLength}`
  return `${what} of ${length} characters${pattern === undefined ? '' : ` that matches ${pattern}`}`
}

function rangeOf(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` of at least ${minimum}`
  return maximum === undefined ? '' : ` of at most ${maximum}`
}
