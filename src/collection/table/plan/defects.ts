import { type AbstractSqlPlatform, type Column, type DatabaseTable, types } from '@mikro-orm/sql'

/** Why a table cannot be used. */
export interface TableDefect {
  readonly column: string | null
  readonly message: string
}

/** A difference that makes a table unusable: another key, a column of another type, a required column without a field. */
export function defectOf(
  found: DatabaseTable,
  wanted: DatabaseTable,
  platform: AbstractSqlPlatform,
): TableDefect | null {
  const key = found.getColumns().filter((column) => column.primary)
  if (key.length !== 1 || key[0]?.name !== 'id') {
    return { column: 'id', message: 'Its primary key is not the column "id".' }
  }
  for (const column of wanted.getColumns()) {
    const existing = found.getColumn(column.name)
    if (existing === undefined || isSameKind(existing, column, platform)) continue
    const message = `Column "${column.name}" has type ${existing.type}; its field needs ${column.type}.`
    return { column: column.name, message }
  }
  const foreign = found
    .getColumns()
    .find((column) => !wanted.hasColumn(column.name) && !column.nullable && column.default == null && !column.generated)
  if (foreign === undefined) return null
  return { column: foreign.name, message: `Column "${foreign.name}" requires a value, but no field sets it.` }
}

function isSameKind(found: Column, wanted: Column, platform: AbstractSqlPlatform): boolean {
  return kindOf(found, platform) === kindOf(wanted, platform) && scaleOf(found) === scaleOf(wanted)
}

/** MikroORM reads decimals as text, and as such compares them. */
function kindOf({ type }: Column, platform: AbstractSqlPlatform): string {
  const mapped = platform.getMappedType(type)
  return mapped instanceof types.decimal ? 'decimal' : mapped.compareAsType()
}

/** The digits behind the point that a type declares; also that of a decimal that is kept as an integer. */
function scaleOf({ type }: Column): string | undefined {
  return /\(\s*\d+\s*,\s*(\d+)\s*\)/.exec(type)?.[1]
}
