import { bounds, type Declared, type Field, kindOfField, type TextKeywords } from './declaration.ts'
import { parseInstant } from './instant.ts'

/** A value of a field inside the service: instants are `Date`, objects and arrays are parsed JSON. */
export type FieldValue = string | number | boolean | null | Date | object

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const decimal = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/
const whole = /^-?(?:0|[1-9]\d{0,18})$/

/** The UUID in lower case; null for any other text. */
export function canonicalUuid(text: string): string | null {
  return uuid.test(text) ? text.toLowerCase() : null
}

/** The decimal with exactly `scale` digits behind the point; null for other text, more such digits or too many in all. */
export function canonicalDecimal(text: string, scale: number): string | null {
  // Matching longer text would be slow; the sign, the point and all digits take fewer.
  const parts = text.length > bounds.decimalDigits + 2 ? null : decimal.exec(text)
  if (parts === null) return null
  const [, sign = '', integer = '', fraction = ''] = parts
  if (fraction.length > scale || (integer !== '0' && integer.length > bounds.decimalDigits - scale)) return null
  const digits = scale === 0 ? integer : `${integer}.${fraction.padEnd(scale, '0')}`
  return /[1-9]/.test(digits) ? sign + digits : digits
}

/** The whole number of 64 bits in decimal digits; null for any other text. */
export function canonicalInt64(text: string): string | null {
  if (!whole.test(text)) return null
  const value = BigInt(text)
  return value === BigInt.asIntN(64, value) ? String(value) : null
}

/** A value that the schema of its field accepts, as it is stored and answered: what is the same has one form. */
export function canonicalValue(field: Field, value: unknown): FieldValue {
  if (kindOfField(field) === 'instant' && typeof value === 'string') return parseInstant(value)
  return canonicalIn(field, value) as FieldValue // The schema has seen the type.
}

function canonicalIn(declared: Declared, value: unknown): unknown {
  if (typeof value === 'string' && declared.type === 'string') return canonicalText(declared, value)
  if (typeof value !== 'object' || value === null) return canonicalJson(value)
  if (declared.type === 'array' && declared.items !== undefined && Array.isArray(value)) {
    const { items } = declared
    return value.map((item) => canonicalIn(items, item))
  }
  if (declared.type !== 'object' || declared.properties === undefined || Array.isArray(value))
    return canonicalJson(value)
  const { properties } = declared
  return sorted(value, (name, member) =>
    Object.hasOwn(properties, name) ? canonicalIn(properties[name] as Declared, member) : canonicalJson(member),
  )
}

/** Text of a format in its one form; also an instant, which is text inside of JSON. */
function canonicalText(declared: TextKeywords, text: string): string {
  switch (declared.format) {
    case 'date-time':
      return parseInstant(text)?.toISOString() ?? text
    case 'uuid':
      return canonicalUuid(text) ?? text
    case 'decimal':
      return canonicalDecimal(text, declared.scale ?? 0) ?? text
    case 'int64':
      return canonicalInt64(text) ?? text
    default:
      return text
  }
}

/**
 * The same value with sorted keys: by length in bytes, then by bytes, as PostgreSQL and MySQL store them; JavaScript puts
 * whole numbers first. So a row reads as it was answered when it was written, in every database. JSON has no -0.
 */
export function canonicalJson(value: unknown): unknown {
  if (value === 0) return 0
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonicalJson)
  return sorted(value, (_, member) => canonicalJson(member))
}

function sorted(value: object, convert: (name: string, member: unknown) => unknown): Record<string, unknown> {
  const made: Record<string, unknown> = {}
  for (const name of Object.keys(value).sort(compareBytes)) made[name] = convert(name, Reflect.get(value, name))
  return made
}

function compareBytes(one: string, other: string): number {
  const bytes = Buffer.byteLength(one)
  const difference = bytes - Buffer.byteLength(other)
  if (difference !== 0) return difference
  // ASCII text has the order of its bytes.
  if (bytes === one.length && bytes === other.length) return one < other ? -1 : 1
  return Buffer.from(one).compare(Buffer.from(other))
}
