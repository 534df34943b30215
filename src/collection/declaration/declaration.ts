/**
 * What a collection file says. One declaration, many uses: entity, table, request validation, response, documentation.
 */

/** What can be asked of a collection over HTTP. */
export const operations = ['create', 'list', 'get', 'update', 'delete'] as const

/** One of the five things that can be asked of a collection. */
export type Operation = (typeof operations)[number]

/** Who may ask: everybody, or whoever has the admin token. */
export type Access = 'public' | 'admin'

/** What every field may say. */
interface FieldCommon {
  readonly description?: string
}

/** Text of at most `maxLength` characters (code points), 10,000 when nothing is said. */
export interface StringField extends FieldCommon {
  readonly type: 'string'
  readonly minLength?: number
  readonly maxLength?: number
  readonly enum?: readonly string[]
  /** Anchored by `^` and `$`, without constructs that can be slow; needs a `maxLength` of at most 256. */
  readonly pattern?: string
  readonly default?: string
  /** An instant, RFC 3339 with its offset; answered in UTC with milliseconds. */
  readonly format?: 'date-time'
}

/** A whole number that JSON carries exactly (up to 2^53 - 1 either way). */
export interface IntegerField extends FieldCommon {
  readonly type: 'integer'
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly number[]
  readonly default?: number
}

/** A double. */
export interface NumberField extends FieldCommon {
  readonly type: 'number'
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly number[]
  readonly default?: number
}

/** True or false. */
export interface BooleanField extends FieldCommon {
  readonly type: 'boolean'
  readonly default?: boolean
}

/** Any JSON object of at most `maxBytes` of JSON, 16 KiB when nothing is said. */
export interface ObjectField extends FieldCommon {
  readonly type: 'object'
  readonly maxBytes?: number
  readonly default?: Readonly<Record<string, unknown>>
}

/** Any JSON array of at most `maxItems` items and `maxBytes` of JSON. */
export interface ArrayField extends FieldCommon {
  readonly type: 'array'
  readonly maxItems?: number
  readonly maxBytes?: number
  readonly default?: readonly unknown[]
}

/** The JSON Schema of one field. */
export type Field = StringField | IntegerField | NumberField | BooleanField | ObjectField | ArrayField

/** Fields that are looked up, or unique, together. Rows without a value (null) never collide. */
export interface Index {
  readonly fields: readonly string[]
  readonly unique?: boolean
}

/** How many public creates one client may make. */
export interface RateLimit {
  readonly requests: number
  readonly windowS: number
}

/** A collection: one JSON file, or one object given in code. */
export interface Collection {
  /** The table and the place in the address: `/api/<name>`. */
  readonly name: string
  readonly description?: string
  /** By column name, in the order of the answer. */
  readonly fields: Readonly<Record<string, Field>>
  readonly required?: readonly string[]
  readonly indexes?: readonly Index[]
  /** `admin` for what is not named. */
  readonly access?: Readonly<Partial<Record<Operation, Access>>>
  /** Of public creates; the settings' limit when absent. */
  readonly rateLimit?: RateLimit
  /** Creates beyond are answered 507. No limit when absent. */
  readonly maxRows?: number
  /** The least durability of a write; what cannot be had is 503 before anything is written. */
  readonly durability?: 'primary' | 'journal'
}

/** Bounds of one declaration: what may be made public must not be unbounded. */
export const bounds: {
  readonly collections: number
  readonly fileBytes: number
  readonly fields: number
  readonly indexes: number
  readonly indexFields: number
  readonly indexedLength: number
  readonly patternLength: number
  readonly patternedLength: number
  readonly defaultLength: number
  readonly defaultBytes: number
} = {
  collections: 100,
  fileBytes: 256 * 1024,
  fields: 100,
  indexes: 10,
  indexFields: 4,
  /** Longer text cannot be a key in every database. */
  indexedLength: 255,
  patternLength: 200,
  patternedLength: 256,
  defaultLength: 10_000,
  defaultBytes: 16 * 1024,
}

/** Who may do `operation`. */
export function accessTo(collection: Collection, operation: Operation): Access {
  return collection.access?.[operation] ?? 'admin'
}

/** True when a row cannot be without the field. */
export function isRequired(collection: Collection, field: string): boolean {
  return collection.required?.includes(field) ?? false
}

/** True for text that stands for an instant. */
export function isInstant(field: Field): boolean {
  return field.type === 'string' && field.format === 'date-time'
}
