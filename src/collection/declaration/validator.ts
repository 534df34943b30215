import type { ValidateFunction } from 'ajv'
import { type FieldError, HoldfastError } from '../../errors.ts'
import { createAjv, escapePointer } from './ajv.ts'
import { type Collection, type Field, isInstant, isRequired } from './declaration.ts'
import { parseInstant } from './instant.ts'
import { unsoundness } from './json-limits.ts'
import { ownColumns } from './names.ts'
import { bodySchema, takes } from './row-schema.ts'

/** A value of a field as the service works with it: instants are `Date`, objects and arrays what JSON made. */
export type FieldValue = string | number | boolean | null | Date | object

/** Told of one body at most. */
const maxErrors = 50

/** Checks bodies against a collection. Compiled at the first body: a service that is only read never pays for it. */
export class Validator {
  readonly #collection: Collection
  readonly #fields: readonly (readonly [string, Field])[]
  #compiled: ValidateFunction | null = null

  constructor(collection: Collection) {
    this.#collection = collection
    this.#fields = Object.entries(collection.fields)
  }

  /** A value for every field, in the declaration's order: the given one, else the default, else null. Throws ROW_INVALID. */
  create(body: unknown): readonly FieldValue[] {
    const given = this.#check(body, true)
    return this.#fields.map(([name, field]) => {
      const value = Object.hasOwn(given, name) ? given[name] : (field.default ?? null)
      return canonical(field, value)
    })
  }

  /** The fields that the body changes, by position in the declaration; null empties one. Throws ROW_INVALID. */
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
      throw invalid([{ pointer: '', message: 'A row is one JSON object.' }])
    }
    const unsound = unsoundness(body)
    if (unsound !== null) throw invalid([unsound])
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
      missing.push({ pointer: `/${name}`, message: `This field is required: ${takes(field)}.` })
    }
    return missing
  }

  /** All that is wrong, member by member. The one compiled check stops at the first, so that it is never slow. */
  #errors(body: object): readonly FieldError[] {
    const errors: FieldError[] = []
    for (const [name, value] of Object.entries(body)) {
      if (errors.length >= maxErrors) break
      const pointer = `/${escapePointer(name)}`
      const field = Object.hasOwn(this.#collection.fields, name) ? this.#collection.fields[name] : undefined
      if (field === undefined) errors.push({ pointer, message: this.#unknown(name) })
      // A body of this one member: null prototype, because the name came from outside.
      else if (!this.#fits(Object.assign(Object.create(null), { [name]: value }))) {
        const orNull = isRequired(this.#collection, name) ? '' : ', or null'
        errors.push({ pointer, message: `This field takes ${takes(field)}${orNull}.` })
      }
    }
    return errors
  }

  #unknown(name: string): string {
    const own: readonly string[] = ownColumns
    if (own.includes(name)) return 'The service itself sets this field.'
    const known = this.#fields.map(([field]) => field).join(', ')
    return `This collection has no such field; it has ${known}.`
  }
}

function invalid(errors: readonly FieldError[]): HoldfastError {
  return new HoldfastError('ROW_INVALID', { errors })
}

function canonical(field: Field, value: unknown): FieldValue {
  if (isInstant(field) && typeof value === 'string') return parseInstant(value)
  // JSON has no -0, so that it must not come back as one.
  if (value === 0) return 0
  return value as FieldValue // The compiled check has seen the type.
}
