import { bounds, type Collection, type Field, isInstant, isRequired } from './declaration.ts'

/** Whole numbers that JSON represents exactly. */
export const safeIntegers: { readonly minimum: number; readonly maximum: number } = {
  minimum: Number.MIN_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
}

/** The JSON Schema of one value of a field. */
export function fieldSchema(field: Field): Readonly<Record<string, unknown>> {
  const { description: _description, default: _default, ...keywords } = field
  switch (field.type) {
    case 'string':
      // An instant has its own maximum length, so its format is never checked on longer text.
      return { ...keywords, maxLength: isInstant(field) ? 40 : (field.maxLength ?? bounds.defaultLength) }
    case 'integer':
    case 'number': {
      const { sum: _sum, ...rest } = keywords as Omit<typeof field, 'description' | 'default'> // The same field.
      return field.type === 'integer' ? { ...safeIntegers, ...rest } : rest
    }
    case 'object':
      return { maxBytes: bounds.defaultBytes, ...keywords }
    case 'array':
      return { maxItems: 10_000, maxBytes: bounds.defaultBytes, ...keywords }
    default:
      return keywords
  }
}

/** The JSON Schema of a body. All fields are optional: creates and changes require different ones. */
export function bodySchema(collection: Collection): Readonly<Record<string, unknown>> {
  const properties = Object.entries(collection.fields).map(([name, field]) => {
    const schema = fieldSchema(field)
    return [name, isRequired(collection, name) ? schema : orNull(schema)]
  })
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) }
}

function orNull(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { enum: values } = schema
  const nullable = { ...schema, type: [schema.type, 'null'] }
  return Array.isArray(values) ? { ...nullable, enum: [...values, null] } : nullable
}

/** The values that a field accepts, in words: `an integer from 1 to 5`. */
export function accepts(field: Field): string {
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
    case 'object':
      return `an object of at most ${field.maxBytes ?? bounds.defaultBytes} bytes of JSON`
    case 'array':
      return `an array of at most ${field.maxItems ?? 10_000} items and ${field.maxBytes ?? bounds.defaultBytes} bytes of JSON`
  }
}

function acceptsText(field: Field & { type: 'string' }): string {
  if (isInstant(field)) return 'a date and time such as "2026-01-31T12:00:00Z" (RFC 3339 with an offset)'
  if (field.enum !== undefined) return `one of ${field.enum.map((value) => JSON.stringify(value)).join(', ')}`
  const { minLength = 0, maxLength = bounds.defaultLength, pattern } = field
  const length = minLength > 0 ? `${minLength} to ${maxLength}` : `at most ${maxLength}`
  return `text of ${length} characters${pattern === undefined ? '' : ` that matches ${pattern}`}`
}

function rangeOf(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` of at least ${minimum}`
  return maximum === undefined ? '' : ` of at most ${maximum}`
}
