import { randomUUID } from 'node:crypto'
import type { ValidateFunction } from 'ajv'
import { type FieldError, HoldfastError } from '../../errors.ts'
import { createAjv, escapePointer } from './ajv.ts'
import { canonicalUuid, canonicalValue, type FieldValue } from './canonical.ts'
import { type Collection, type Declared, type Field, isRequired, kindOfField } from './declaration.ts'
import { findUnstorable } from './json-limits.ts'
import { ownColumns } from './names.ts'
import { accepts, bodySchema } from './row-schema.ts'

export type { FieldValue } from './canonical.ts'

/** Errors reported per body. */
const maxErrors = 50

const nothingRefused: ReadonlyMap<string, string> = new Map()

/** What a body may contain besides what its fields accept. */
export interface BodyRules {
  /** The fields that its author sees, and those that they may write. Absent: all. */
  readonly fields?: { readonly asked: ReadonlySet<string>; readonly written: ReadonlySet<string> } | undefined
  /** The value of the `owner` field where the body has none: the subject of its author. */
  readonly owner?: string | null
  /** It may have an `id`, a UUID: see `givenId`. A create may where the declaration leaves ids to clients. */
  readonly hasId?: boolean
  /** The time of the write, for the default `now`. */
  readonly now?: Date
}

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
  create(body: unknown, rules: BodyRules = {}): readonly FieldValue[] {
    const { owner } = this.#collection
    const { hasId = this.#collection.ids === 'client' } = rules
    const given = this.#check(body, { ...rules, hasId }, true)
    return this.#fields.map(([name, field]) => {
      if (Object.hasOwn(given, name)) return canonicalValue(field, given[name])
      return name === owner && rules.owner != null ? rules.owner : defaultOf(field, rules.now)
    })
  }

  /** The fields that the body changes, by position in the declaration; null clears a field. Throws ROW_INVALID. */
  change(body: unknown, rules: BodyRules = {}): ReadonlyMap<number, FieldValue> {
    const given = this.#check(body, rules, false)
    const changes = new Map<number, FieldValue>()
    for (const [position, [name, field]] of this.#fields.entries()) {
      if (Object.hasOwn(given, name)) changes.set(position, canonicalValue(field, given[name]))
    }
    return changes
  }

  #check(body: unknown, rules: BodyRules, whole: boolean): Record<string, unknown> {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw invalid([{ pointer: '', message: 'A row must be one JSON object.' }])
    }
    const unstorable = findUnstorable(body)
    if (unstorable !== null) throw invalid([unstorable])
    const given = rules.hasId === true ? withoutId(body) : body
    const missing = whole ? this.#missing(given, rules) : []
    const refused = this.#refused(given, rules)
    if (missing.length === 0 && refused.size === 0 && this.#fits(given)) {
      return given as Record<string, unknown> // An object, as checked above.
    }
    throw invalid([...missing, ...this.#errors(given, refused, rules)])
  }

  #fits(body: object): boolean {
    this.#compiled ??= createAjv({ allErrors: false }).compile(bodySchema(this.#collection))
    return this.#compiled(body)
  }

  #missing(body: object, rules: BodyRules): readonly FieldError[] {
    const missing: FieldError[] = []
    for (const [name, field] of this.#fields) {
      if (Object.hasOwn(body, name) || field.default !== undefined || !isRequired(this.#collection, name)) continue
      if (name === this.#collection.owner && rules.owner != null) continue
      missing.push({ pointer: `/${name}`, message: `This field is required. It accepts ${accepts(field)}.` })
    }
    return missing
  }

  /** Why its author may not write some of the members, by their names; to whom a field is private it does not exist. */
  #refused(body: object, { fields }: BodyRules): ReadonlyMap<string, string> {
    if (fields === undefined) return nothingRefused
    let refused: Map<string, string> | null = null
    for (const name in body) {
      if (fields.written.has(name) || !Object.hasOwn(this.#collection.fields, name)) continue
      const isSeen = fields.asked.has(name)
      refused ??= new Map()
      refused.set(name, isSeen ? 'This field is read-only. Remove it.' : this.#unknown(name, fields))
    }
    return refused ?? nothingRefused
  }

  /** All errors, member by member. The compiled check itself stops at the first one, so it is never slow. */
  #errors(body: object, refused: ReadonlyMap<string, string>, { fields }: BodyRules): readonly FieldError[] {
    const errors: FieldError[] = []
    for (const [name, value] of Object.entries(body)) {
      if (errors.length >= maxErrors) break
      const pointer = `/${escapePointer(name)}`
      const why = refused.get(name)
      const field = Object.hasOwn(this.#collection.fields, name) ? this.#collection.fields[name] : undefined
      if (why !== undefined) errors.push({ pointer, message: why })
      else if (field === undefined) errors.push({ pointer, message: this.#unknown(name, fields) })
      // A body of this one member; the name is untrusted, so the object has no prototype.
      else if (!this.#fits(Object.assign(Object.create(null), { [name]: value }))) {
        errors.push(this.#errorOf(name, field, this.#compiled?.errors?.[0]?.instancePath ?? pointer))
      }
    }
    return errors
  }

  /** `path`: where the check has stopped, perhaps at a member or an item of the field. */
  #errorOf(name: string, field: Field, path: string): FieldError {
    const steps = path.split('/').slice(2)
    const inner = steps.length === 0 ? null : declaredAt(field, steps)
    if (inner !== null) return { pointer: path, message: `This value accepts ${accepts(inner)}.` }
    const orNull = isRequired(this.#collection, name) ? '' : ', or null'
    return { pointer: `/${escapePointer(name)}`, message: `This field accepts ${accepts(field)}${orNull}.` }
  }

  #unknown(name: string, fields: BodyRules['fields']): string {
    const own: readonly string[] = ownColumns
    if (own.includes(name)) return 'The service sets this field. Remove it.'
    const known = this.#fields.filter(
      ([field]) => fields === undefined || fields.asked.has(field) || fields.written.has(field),
    )
    return `The collection has no such field. Its fields are ${known.map(([field]) => field).join(', ')}.`
  }
}

/** The id that a body has, in lower case; null: it has none. Throws ROW_INVALID where it is not a UUID. */
export function givenId(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'id')) return null
  const value: unknown = Reflect.get(body, 'id')
  const id = typeof value === 'string' ? canonicalUuid(value) : null
  if (id === null) throw invalid([{ pointer: '/id', message: 'An id is a UUID.' }])
  return id
}

function withoutId(body: object): object {
  if (givenId(body) === null) return body
  return Object.fromEntries(Object.entries(body).filter(([name]) => name !== 'id'))
}

/** What a member or an item is declared as; null: it is not. The steps are those of a JSON pointer. */
function declaredAt(field: Declared, steps: readonly string[]): Declared | null {
  let found: Declared | undefined = field
  for (const step of steps) {
    if (found?.type === 'array') found = found.items
    else if (found?.type !== 'object' || !Object.hasOwn(found.properties ?? {}, step)) return null
    else found = found.properties?.[step]
  }
  return found ?? null
}

/** The value of a field that a new row is not given; `now`, `today` and `uuid` are of this row alone. */
function defaultOf(field: Field, now = new Date()): FieldValue {
  const { default: given = null } = field
  const kind = kindOfField(field)
  if (kind === 'instant' && given === 'now') return now
  if (kind === 'date' && given === 'today') return now.toISOString().slice(0, 10)
  return kind === 'uuid' && given === 'uuid' ? randomUUID() : canonicalValue(field, given)
}

function invalid(errors: readonly FieldError[]): HoldfastError {
  return new HoldfastError('ROW_INVALID', { errors })
}
