/** The columns that every row has besides its fields; the first four are in the answer. */
export const ownColumns = ['id', 'createdAt', 'updatedAt', 'version', 'holdfast_attempt'] as const

/** What a collection and a field may be called: an identifier in every database, and in every language of a client. */
export const namePattern = '^[a-z][A-Za-z0-9_]{0,62}$'

const reservedFields: ReadonlySet<string> = new Set(ownColumns.map((name) => name.toLowerCase()))

/** Why a field may not be called so; null when it may. The pattern is checked elsewhere. */
export function fieldNameDefect(name: string): string | null {
  if (reservedFields.has(name.toLowerCase())) return 'this name belongs to a column that every collection has'
  if (name.toLowerCase().startsWith('holdfast_')) return 'names that begin with "holdfast_" are ours'
  if (isPrototypeName(name)) return 'every object of JavaScript has something of this name'
  return null
}

/** Why a collection may not be called so; null when it may. */
export function collectionNameDefect(name: string): string | null {
  const lower = name.toLowerCase()
  if (lower.startsWith('holdfast_')) return 'tables that begin with "holdfast_" are ours'
  if (lower.startsWith('sqlite_') || lower.startsWith('pg_')) return 'such names belong to the database itself'
  if (lower.startsWith('mikro_orm_')) return 'such names belong to the migrations'
  if (isPrototypeName(name)) return 'every object of JavaScript has something of this name'
  return null
}

function isPrototypeName(name: string): boolean {
  // `toJSON` is what MikroORM adds to each entity.
  return name in Object.prototype || name === 'toJSON'
}
