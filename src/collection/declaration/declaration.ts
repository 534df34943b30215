/**
 * The content of a collection file. One declaration, many uses: entity, table, validation, response, documentation.
 */

/** The operations of a collection over HTTP. */
export const operations = ['create', 'list', 'get', 'update', 'delete', 'aggregate'] as const

/** One of the operations of a collection. */
export type Operation = (typeof operations)[number]

/**
 * Who a grant is for: everyone; holders of an API token with the scope; signed-in users; the caller whom the `owner` field
 * of the row names; holders of the admin token; or no one, not even they.
 */
export const grantees = ['public', 'token', 'user', 'owner', 'admin', 'none'] as const

/** One of those whom a grant is for. */
export type Grantee = (typeof grantees)[number]

/** A filter as JSON, in a body, in `where=` and in a rule. */
export type FilterJson = Readonly<Record<string, unknown>>

/** Who may perform an operation, and on which rows: those for which `where` is true. */
export type Grant = Grantee | { readonly to: Grantee; readonly where: FilterJson }

/** Who may perform an operation: any of these suffices. */
export type Access = Grant | readonly Grant[]

/** Keywords of every field. */
interface FieldCommon {
  readonly description?: string
  /** Only the admin sees it; for everyone else the field does not exist. */
  readonly private?: true
  /** Only the admin may write it. */
  readonly readOnly?: true
  /** It is accepted and never answered, to no one; no one filters or sorts by it. */
  readonly writeOnly?: true
}

/** Keywords of fields that can be a key. */
interface KeyKeywords {
  /** No two rows have the same value; rows without a value never conflict. */
  readonly unique?: true
  /** Short for an index of this field alone. */
  readonly index?: true
}

/** What becomes of rows that refer to a row that is deleted. */
export type OnDelete = 'restrict' | 'setNull' | 'cascade'

/** A field that has the id of a row of a collection. `onDelete` defaults to `restrict`. */
export type Reference = string | { readonly collection: string; readonly onDelete?: OnDelete }

/** The formats of text. */
export const textFormats = ['date-time', 'date', 'uuid', 'email', 'uri', 'decimal', 'int64'] as const

/** One of the formats of text. */
export type TextFormat = (typeof textFormats)[number]

/** Keywords of text, in fields, members and items. */
export interface TextKeywords {
  readonly minLength?: number
  readonly maxLength?: number
  readonly enum?: readonly string[]
  /** Anchored by `^` and `$`; checked in linear time. Needs a `maxLength` of at most 256. */
  readonly pattern?: string
  /**
   * `date-time`: an instant in RFC 3339 with an offset, returned in UTC with milliseconds. `date`: a day. `uuid`: lower case.
   * `decimal`: at most 18 digits, `scale` of them behind the point. `int64`: a whole number of 64 bits, as text.
   */
  readonly format?: TextFormat
  /** Digits behind the point of a `decimal`, 0 to 9. */
  readonly scale?: number
}

/**
 * Text of at most `maxLength` characters (code points): 10,000 unless declared, of an `email` 254, of a `uri` 2,048. The other
 * formats have a length of their own.
 */
export interface StringField extends FieldCommon, KeyKeywords, TextKeywords {
  readonly type: 'string'
  /** `now` for a `date-time`, `today` for a `date` (UTC), `uuid` for a `uuid`: drawn for each row. */
  readonly default?: string
  /** For a `decimal` or `int64`, a counter: with `conflict: "merge"` the changes of both sides add up. */
  readonly sum?: true
  /** For a `uuid`: the collection of whose rows it has the id. Indexed by itself. */
  readonly references?: Reference
}

/** A whole number that JSON represents exactly (up to 2^53 - 1 either way). */
export interface IntegerField extends FieldCommon, KeyKeywords {
  readonly type: 'integer'
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly number[]
  readonly default?: number
  /** A counter: with `conflict: "merge"` the changes of both sides add up. */
  readonly sum?: true
}

/** A double-precision number. */
export interface NumberField extends FieldCommon, KeyKeywords {
  readonly type: 'number'
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly number[]
  readonly default?: number
  /** A counter: with `conflict: "merge"` the changes of both sides add up. */
  readonly sum?: true
}

/** True or false. */
export interface BooleanField extends FieldCommon, KeyKeywords {
  readonly type: 'boolean'
  readonly default?: boolean
}

/** A member of an object, or an item of an array: a scalar without keywords of a column. */
export type ScalarField =
  | ({ readonly type: 'string' } & TextKeywords)
  | Omit<IntegerField, keyof FieldCommon | keyof KeyKeywords | 'default' | 'sum'>
  | Omit<NumberField, keyof FieldCommon | keyof KeyKeywords | 'default' | 'sum'>
  | { readonly type: 'boolean' }

/** Declared members of an object. Undeclared ones are accepted, too. */
export interface ObjectMembers {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, ScalarField | ObjectMembers>>
}

/** Any JSON object of at most `maxBytes` bytes of JSON; defaults to 16 KiB. */
export interface ObjectField extends FieldCommon {
  readonly type: 'object'
  readonly maxBytes?: number
  readonly default?: Readonly<Record<string, unknown>>
  /** Members that filters compare by their type: at most 50 in all, 3 levels deep. */
  readonly properties?: ObjectMembers['properties']
}

/** Any JSON array of at most `maxItems` items and `maxBytes` bytes of JSON. */
export interface ArrayField extends FieldCommon {
  readonly type: 'array'
  readonly maxItems?: number
  readonly maxBytes?: number
  readonly default?: readonly unknown[]
  /** What each item is: then `has` finds rows by an item. */
  readonly items?: ScalarField
}

/** The declaration of one field, a subset of JSON Schema. */
export type Field = StringField | IntegerField | NumberField | BooleanField | ObjectField | ArrayField

/** A field, a declared member of an object, or an item of an array. */
export type Declared = Field | ScalarField | ObjectMembers

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
  /** Defaults to `admin` for each operation, `aggregate` to what `list` has. */
  readonly access?: Readonly<Partial<Record<Operation, Access>>>
  /** The field that names who created the row: set by the service, read-only. */
  readonly owner?: string
  /** Who gives a row its id. `client`: a create may have one, and `PUT` creates. Defaults to `server`. */
  readonly ids?: 'server' | 'client'
  /** For public creates. Defaults to the limit in the settings. */
  readonly rateLimit?: RateLimit
  /** Creates above this number of rows get 507. No limit by default. */
  readonly maxRows?: number
  /** The minimum durability of a write. If it is not available, the write gets 503 and changes nothing. */
  readonly durability?: 'primary' | 'journal' | 'archived' | 'local'
  /** Whether its rows in a primary are copied into the fallback. By default, while all copies together stay below COPY_MAX_BYTES. */
  readonly copy?: boolean
  /** What becomes of a change from an outage to a row that the primary has changed, too. Defaults to `park`. */
  readonly conflict?: 'park' | 'merge' | 'primary-wins' | 'fallback-wins'
}

/** Bounds of declarations: nothing that may become public is unbounded. */
export const bounds = {
  collections: 100,
  fileBytes: 262_144,
  fields: 100,
  indexes: 10,
  indexFields: 4,
  /** Those of fields included. */
  allIndexes: 32,
  grants: 10,
  /** Longer text cannot be indexed in every database. */
  indexedLength: 255,
  members: 50,
  memberDepth: 3,
  decimalDigits: 18,
  decimalScale: 9,
  patternLength: 200,
  patternedLength: 256,
  defaultLength: 10_000,
  defaultBytes: 16_384,
  defaultItems: 10_000,
  /** A subject with its prefix. */
  ownerLength: 255,
} as const

/** The grants of an operation; one suffices. */
export function grantsOf({ access }: Collection, operation: Operation): readonly Grant[] {
  const given = access?.[operation] ?? (operation === 'aggregate' ? access?.list : undefined) ?? 'admin'
  return isList(given) ? given : [given]
}

function isList(access: Access): access is readonly Grant[] {
  return Array.isArray(access)
}

/** Who a grant is for. */
export function granteeOf(grant: Grant): Grantee {
  return typeof grant === 'string' ? grant : grant.to
}

/** True if everyone may perform the operation, on some rows at least. */
export function isPublic(collection: Collection, operation: Operation): boolean {
  return grantsOf(collection, operation).some((grant) => granteeOf(grant) === 'public')
}

/** True if every row must have the field. */
export function isRequired(collection: Collection, field: string): boolean {
  return collection.required?.includes(field) ?? false
}

/** How the values of a field are stored, compared and written. */
export type FieldKind =
  | 'text'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'instant'
  | 'date'
  | 'uuid'
  | 'decimal'
  | 'int64'
  | 'object'
  | 'array'

/** The kind of a field, of a declared member or of an item. */
export function kindOfField(field: Declared): FieldKind {
  if (field.type !== 'string') return field.type
  const { format } = field
  switch (format) {
    case 'date-time':
      return 'instant'
    case 'date':
    case 'uuid':
    case 'decimal':
    case 'int64':
      return format
    default:
      return 'text'
  }
}

/** The most characters of each format. */
const formatLengths: Readonly<Record<TextFormat, number>> = {
  'date-time': 40,
  date: 10,
  uuid: 36,
  decimal: 20,
  int64: 20,
  email: 254,
  uri: 2_048,
}

/** The most characters that text may have. */
export function longestOf({ format, maxLength }: TextKeywords): number {
  return maxLength ?? (format === undefined ? bounds.defaultLength : formatLengths[format])
}

/** The collection that a field refers to, and what a delete there does here; null: it refers to none. */
export function referenceOf(field: Field): { readonly collection: string; readonly onDelete: OnDelete } | null {
  if (field.type !== 'string' || field.references === undefined) return null
  const { references } = field
  if (typeof references === 'string') return { collection: references, onDelete: 'restrict' }
  return { collection: references.collection, onDelete: references.onDelete ?? 'restrict' }
}

/** All indexes of a collection: those of `indexes`, then those of `unique`, `index` and `references` of its fields. */
export function indexesOf({ fields, indexes = [] }: Pick<Collection, 'fields' | 'indexes'>): readonly Index[] {
  const known = new Set(indexes.map(({ fields: names, unique }) => `${unique === true} ${names.join()}`))
  const own = Object.entries(fields).flatMap(([name, field]): Index[] => {
    if ('unique' in field) return [{ fields: [name], unique: true }]
    return 'index' in field || referenceOf(field) !== null ? [{ fields: [name] }] : []
  })
  return [...indexes, ...own.filter(({ fields: names, unique }) => !known.has(`${unique === true} ${names.join()}`))]
}
