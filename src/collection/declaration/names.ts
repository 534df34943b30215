import { type Collection, type Field, indexesOf, referenceOf } from './declaration.ts'

/** The columns that every row has besides its fields; responses contain the first four. */
export const ownColumns = ['id', 'createdAt', 'updatedAt', 'version', 'holdfast_attempt'] as const

/** The pattern of names of collections and fields: identifiers in every database and programming language. */
export const namePattern = '^[a-z][A-Za-z0-9_]{0,62}$'

/** The pattern of declared members of objects: JSON keys that an address can name. */
export const memberPattern = '^[A-Za-z0-9_-]{1,64}$'

/** Columns that a database adds to every table: PostgreSQL's, then InnoDB's. */
const systemColumns: ReadonlySet<string> = new Set([
  ...['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'],
  ...['db_row_id', 'db_trx_id', 'db_roll_ptr', 'fts_doc_id'],
])

const reservedFields: ReadonlySet<string> = new Set(ownColumns.map((name) => name.toLowerCase()))

/** Why a name is not valid for a field; null if it is. Does not check the pattern. */
export function fieldNameDefect(name: string): string | null {
  if (reservedFields.has(name.toLowerCase())) return 'every collection has a column of this name'
  if (name.toLowerCase().startsWith('holdfast_')) return 'names that start with "holdfast_" are reserved'
  if (systemColumns.has(name.toLowerCase())) return 'databases have a column of this name in every table'
  // A class has a property of this name, and MikroORM makes a class of each collection.
  if (name === 'prototype' || isPrototypeName(name)) return 'every JavaScript object has a property of this name'
  return null
}

/** Why a name is not valid for a collection; null if it is. */
export function collectionNameDefect(name: string): string | null {
  const lower = name.toLowerCase()
  if (lower.startsWith('holdfast_')) return 'tables that start with "holdfast_" are reserved'
  if (lower.startsWith('sqlite_') || lower.startsWith('pg_')) return 'databases reserve names that start like this'
  if (lower.startsWith('mikro_orm_')) return 'migrations reserve names that start like this'
  if (isPrototypeName(name)) return 'every JavaScript object has a property of this name'
  return null
}

function isPrototypeName(name: string): boolean {
  // MikroORM adds `toJSON` to each entity.
  return name in Object.prototype || name === 'toJSON'
}

type Indexed = Pick<Collection, 'name' | 'fields' | 'indexes'>

/**
 * The names of a collection's indexes, in the order of `indexesOf`. Fixed, whatever naming strategy an application uses. Each but
 * a unique one ends with the id, so that it serves the order of rows with the same values.
 */
export function indexNames(collection: Indexed): readonly string[] {
  const { name } = collection
  const references = new Set(referenceIndexNames(collection).values())
  return indexesOf(collection).map(({ fields, unique }) => {
    if (unique === true) return keyName(name, fields, 'unique')
    const isReference = fields.length === 1 && references.has(fields[0] ?? '')
    return keyName(name, [...fields, 'id'], isReference ? 'reference' : 'index')
  })
}

/**
 * The indexes of references by name, each with its field. In a database without foreign keys they are the mark that all rows
 * were looked up.
 */
export function referenceIndexNames({ name, fields, indexes = [] }: Indexed): ReadonlyMap<string, string> {
  const isDeclared = (field: string) =>
    indexes.some(({ fields: names, unique }) => unique !== true && names.length === 1 && names[0] === field)
  // A unique field is its own index.
  const names = referringFields(fields).filter((field) => !isDeclared(field) && !isUnique(fields[field]))
  return new Map(names.map((field) => [keyName(name, [field, 'id'], 'reference'), field]))
}

/** The foreign keys of a collection by name, each with its field. */
export function referenceNames({ name, fields }: Pick<Collection, 'name' | 'fields'>): ReadonlyMap<string, string> {
  return new Map(referringFields(fields).map((field) => [keyName(name, [field], 'foreign'), field]))
}

/** The names of indexes of earlier releases, which those of today replace. */
export function supersededNames(collection: Indexed): readonly string[] {
  const { name } = collection
  return indexesOf(collection).flatMap(({ fields, unique }) =>
    unique === true ? [] : [keyName(name, fields, 'index')],
  )
}

function referringFields(fields: Collection['fields']): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => (referenceOf(field) === null ? [] : [name]))
}

function isUnique(field: Field | undefined): boolean {
  return field !== undefined && 'unique' in field
}

/** Databases cut or reject names above 63 bytes, and two cut names could be equal. */
function keyName(table: string, fields: readonly string[], suffix: string): string {
  const whole = `${table}_${fields.join('_')}_${suffix}`
  if (whole.length <= 63) return whole
  return `${whole.slice(0, 63 - suffix.length - 10)}_${textHash(whole).toString(36)}_${suffix}`
}

/** A hash of text below 2^32. Not cryptographic. */
function textHash(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0
  return hash
}

/** The names that a collection's table uses where tables and indexes share one namespace, in lower case. */
export function relationNames(collection: Collection): readonly string[] {
  // PostgreSQL names the index of the primary key itself, and cuts the table's name for it.
  const key = `${collection.name.slice(0, 58)}_pkey`
  const foreign = referenceNames(collection).keys()
  return [collection.name, key, ...indexNames(collection), ...foreign].map((name) => name.toLowerCase())
}
