import type { ValidateFunction } from 'ajv'
import { type FieldError, HoldfastError } from '../../errors.ts'
import { createAjv, escapePointer } from './ajv.ts'
import { type Collection, type Field, isInstant, isRequired } from './declaration.ts'
import { parseInstant } from './instant.ts'
import { findUnstorable } from './json-limits.ts'
import { ownColumns } from './names.ts'
import { accepts, bodySchema } from './row-schema.ts'

/** A value of a field inside the service: instants are `Date`, objects and arrays are parsed JSON. */
export type FieldValue = string | number | boolean | null | Date | object

/** Errors reported per body. */
const maxErrors = 50

/** Validates request bodies for a collection. Compiles at the first body, so a read-only service does not pay for it. */
export class Validator {
  readonly #collection: Collection
  readonly #fields: readonly (readonly [string, Field])[]
  #compiled: ValidateFunction | null = null

  constructor(collection: Collection) {
    this.#collection = collection
    this.#fields = Object.entries(collection.fields)
  }

  /** The value of every field, in the order of the declaration: from the body, else the default, else null. Throws ROW_INVALID. */
  create(body: unknown): readonly FieldValue[] {
    const given = this.#check(body, true)
    return this.#fields.map(([name, field]) => {
      const value = Object.hasOwn(given, name) ? given[name] : (field.default ?? null)
      return canonical(field, value)
    })
  }

  /** The fields that the body changes, by position in the declaration; null clears a field. Throws ROW_INVALID. */
  change(body: unknown): ReadonlyMap<number, FieldValue> {
    const given = this.#check(body, false)
    const changes = new Map<number, FieldValue>()
    for (const [position, [name, field]] of this.#fields.entries()) {
      if (Object.hasOwn(given, name)) changes.set(position, canonical(field, given[name]))
    }
    return changes
  }

  #check(body: unknown, whole: boolean): Record<string, unknown> {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw invalid([{ pointer: '', message: 'A row must be one JSON object.' }])
    }
    const unstorable = findUnstorable(body)
    if (unstorable !== null) throw invalid([unstorable])
    const missing = whole ? this.#missing(body) : []
    if (this.#fits(body) && missing.length === 0) return body as Record<string, unknown> // An object, as checked above.
    throw invalid([...missing, ...this.#errors(body)])
  }

  #fits(body: object): boolean {
    this.#compiled ??= createAjv({ allErrors: false }).compile(bodySchema(this.#collection))
    return this.#compiled(body)
  }

  #missing(body: object): readonly FieldError[] {
    const missing: FieldError[] = []
    for (const [name, field] of this.#fields) {
      if (Object.hasOwn(body, name) || field.default !== undefined || !isRequired(this.#collection, name)) continue
      missing.push({ pointer: `/${name}`, message: `This field is required. It accepts ${accepts(field)}.` })
    }
    return missing
  }

  /** All errors, member by member. The compiled check itself stops at the first one, so it is never slow. */
  #errors(body: object): readonly FieldError[] {
    const errors: FieldError[] = []
    for (const [name, value] of Object.entries(body)) {
      if (errors.length >= maxErrors) break
      const pointer = `/${escapePointer(name)}`
      const field = Object.hasOwn(this.#collection.fields, name) ? this.#collection.fields[name] : undefined
      if (field === undefined) errors.push({ pointer, message: this.#unknown(name) })
      // A body of this one member; the name is untrusted, so the object has no prototype.
      else if (!this.#fits(Object.assign(Object.create(null), { [name]: value }))) {
        const orNull = isRequired(this.#collection, name) ? '' : ', or null'
        errors.push({ pointer, message: `This field accepts ${accepts(field)}${orNull}.` })
      }
    }
    return errors
  }

  #unknown(name: string): string {
    const own: readonly string[] = ownColumns
    if (own.includes(name)) return 'The service sets this field. Remove it.'
    const known = this.#fields.map(([field]) => field).join(', ')
    return `The collection has no such field. Its fields are ${known}.`
  }
}

function invalid(errors: readonly FieldError[]): HoldfastError {
  return new HoldfastError('ROW_INVALID', { errors })
}

function canonical(field: Field, value: unknown): FieldValue {
  if (isInstant(field) && typeof value === 'string') return parseInstant(value)
  return canonicalJson(value) as FieldValue // The compiled check has seen the type.
}

/**
 * The same value with sorted keys: by length in bytes, then by bytes, as PostgreSQL and MySQL store them; JavaScript puts
 * whole numbers first. So a row reads as it was answered when it was written, in every database. JSON has no -0.
 */
function canonicalJson(value: unknown): unknown {
  if (value === 0) return 0
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonicalJson)
  const sorted: Record<string, unknown> = {}
  for (const name of Object.keys(value).sort(compareBytes)) sorted[name] = canonicalJson(Reflect.get(value, name))
  return sorted
}

function compareBytes(one: string, other: string): number {
  const bytes = Buffer.byteLength(one)
  const difference = bytes - Buffer.byteLength(other)
  if (difference !== 0) return difference
  // ASCII text has the order of its bytes.
  if (bytes === one.length && bytes === other.length) return one < other ? -1 : 1
  return Buffer.from(one).compare(Buffer.from(other))
}
