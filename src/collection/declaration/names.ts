/** The columns that every row has besides its fields; responses contain the first four. */
export const ownColumns = ['id', 'createdAt', 'updatedAt', 'version', 'holdfast_attempt'] as const

/** The pattern of names of collections and fields: identifiers in every database and programming language. */
export const namePattern = '^[a-z][A-Za-z0-9_]{0,62}$'

const reservedFields: ReadonlySet<string> = new Set(ownColumns.map((name) => name.toLowerCase()))

/** Why a name is not valid for a field; null if it is. Does not check the pattern. */
export function fieldNameDefect(name: string): string | null {
  if (reservedFields.has(name.toLowerCase())) return 'every collection has a column of this name'
  if (name.toLowerCase().startsWith('holdfast_')) return 'names that start with "holdfast_" are reserved'
  if (isPrototypeName(name)) return 'every JavaScript object has a property of this name'
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
