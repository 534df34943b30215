/**
 * The content of a collection file. One declaration, many uses: entity, table, validation, response, documentation.
 */

/** The operations of a collection over HTTP. */
export const operations = ['create', 'list', 'get', 'update', 'delete'] as const

/** One of the five operations of a collection. */
export type Operation = (typeof operations)[number]

/** Who may perform an operation: everyone, or holders of the admin token. */
export type Access = 'public' | 'admin'

/** Keywords of every field. */
interface FieldCommon {
  readonly description?: string
}

/** Text of at most `maxLength` characters (code points); defaults to 10,000. */
export interface StringField extends FieldCommon {
  readonly type: 'string'
  readonly minLength?: number
  readonly maxLength?: number
  readonly enum?: readonly string[]
  /** Anchored by `^` and `$`; checked in linear time. Needs a `maxLength` of at most 256. */
  readonly pattern?: string
  readonly default?: string
  /** An instant in RFC 3339 with an offset; returned in UTC with milliseconds. */
  readonly format?: 'date-time'
}

/** A whole number that JSON represents exactly (up to 2^53 - 1 either way). */
export interface IntegerField extends FieldCommon {
  readonly type: 'integer'
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly number[]
  readonly default?: number
  /** A counter: with `conflict: "merge"` the changes of both sides add up. */
  readonly sum?: true
}

/** A double-precision number. */
export interface NumberField extends FieldCommon {
  readonly type: 'number'
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly number[]
  readonly default?: number
  /** A counter: with `conflict: "merge"` the changes of both sides add up. */
  readonly sum?: true
}

/** True or false. */
export interface BooleanField extends FieldCommon {
  readonly type: 'boolean'
  readonly default?: boolean
}

/** Any JSON object of at most `maxBytes` bytes of JSON; defaults to 16 KiB. */
export interface ObjectField extends FieldCommon {
  readonly type: 'object'
  readonly maxBytes?: number
  readonly default?: Readonly<Record<string, unknown>>
}

/** Any JSON array of at most `maxItems` items and `maxBytes` bytes of JSON. */
export interface ArrayField extends FieldCommon {
  readonly type: 'array'
  readonly maxItems?: number
  readonly maxBytes?: number
  readonly default?: readonly unknown[]
}

/** The declaration of one field, a subset of JSON Schema. */
export type Field = StringField | IntegerField | NumberField | BooleanField | ObjectField | ArrayField

/** Fields that are indexed, or unique, together. Rows with a null among them never conflict. */
export interface Index {
  readonly fields: readonly string[]
  readonly unique?: boolean
}

/** How many public creates one client may make in a period. */
export interface RateLimit {
  readonly requests: number
  readonly windowS: number
}

/** A collection: one JSON file, or one object in code. */
export interface Collection {
  /** The name of the table and of the path: `/api/<name>`. */
  readonly name: string
  readonly description?: string
  /** By column name, in the order of responses. */
  readonly fields: Readonly<Record<string, Field>>
  readonly required?: readonly string[]
  readonly indexes?: readonly Index[]
  /** Defaults to `admin` for each operation. */
  readonly access?: Readonly<Partial<Record<Operation, Access>>>
  /** For public creates. Defaults to the limit in the settings. */
  readonly rateLimit?: RateLimit
  /** Creates above this number of rows get 507. No limit by default. */
  readonly maxRows?: number
  /** The minimum durability of a write. If it is not available, the write gets 503 and changes nothing. */
  readonly durability?: 'primary' | 'journal' | 'local'
  /** Whether its rows in a primary are copied into the fallback. By default, while all copies together stay below COPY_MAX_BYTES. */
  readonly copy?: boolean
  /** What becomes of a change from an outage to a row that the primary has changed, too. Defaults to `park`. */
  readonly conflict?: 'park' | 'merge' | 'primary-wins' | 'fallback-wins'
}

/** Bounds of declarations: nothing that may become public is unbounded. */
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
  /** Longer text cannot be indexed in every database. */
  indexedLength: 255,
  patternLength: 200,
  patternedLength: 256,
  defaultLength: 10_000,
  defaultBytes: 16 * 1024,
}

/** Who may perform `operation`. */
export function accessTo(collection: Collection, operation: Operation): Access {
  return collection.access?.[operation] ?? 'admin'
}

/** True if every row must have the field. */
export function isRequired(collection: Collection, field: string): boolean {
  return collection.required?.includes(field) ?? false
}

/** True for text with the format of an instant. */
export function isInstant(field: Field): boolean {
  return field.type === 'string' && field.format === 'date-time'
}

const sources = new WeakMap<Collection, string>()

/** Records where a collection was declared: its file, or its position in the options. */
export function recordSource(collection: Collection, source: string): void {
  sources.set(collection, source)
}

/** The setting that a problem with this collection names: its source and a JSON pointer. */
export function pointerInto(collection: Collection, pointer = ''): string {
  return `${sources.get(collection) ?? `collection ${collection.name}`}#${pointer}`
}
