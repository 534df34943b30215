import type {
  AbstractSqlPlatform,
  Column,
  DatabaseTable,
  IndexDef,
  SchemaHelper,
  TableDifference,
} from '@mikro-orm/sql'
import type { ownColumns } from '../../declaration/names.ts'

/** MikroORM's writer of DDL in the dialect of a platform. */
export function helperOf(platform: AbstractSqlPlatform): SchemaHelper {
  const helper = platform.getSchemaHelper()
  if (helper === undefined) throw new Error('This platform has no schema helper.')
  return helper
}

/** The statements that make a table. */
export function creation(wanted: DatabaseTable, platform: AbstractSqlPlatform): readonly string[] {
  return withoutEnd(helperOf(platform).createTable(wanted))
}

/** The statements that add columns and indexes to a table. */
export function addition(
  found: DatabaseTable,
  wanted: DatabaseTable,
  indexes: readonly IndexDef[],
  platform: AbstractSqlPlatform,
): readonly string[] {
  const columns = missingColumns(found, wanted)
    // Existing rows have no value for a new column.
    .map((column) => ({ ...column, nullable: !isOwnCounter(column.name) }))
  const added: Partial<TableDifference> = {
    addedColumns: Object.fromEntries(columns.map((column) => [column.name, column])),
    addedIndexes: Object.fromEntries(indexes.map((index) => [index.keyName, index])),
  }
  return alteration(found, wanted, added, platform)
}

/** The columns that a table lacks. */
export function missingColumns(found: DatabaseTable, wanted: DatabaseTable): readonly Column[] {
  return wanted.getColumns().filter((column) => !found.hasColumn(column.name))
}

/** The statements for some of the differences of a table. */
export function alteration(
  found: DatabaseTable,
  wanted: DatabaseTable,
  some: Partial<TableDifference>,
  platform: AbstractSqlPlatform,
): readonly string[] {
  const nothing = {
    addedColumns: {},
    changedColumns: {},
    removedColumns: {},
    renamedColumns: {},
    addedIndexes: {},
    changedIndexes: {},
    removedIndexes: {},
    renamedIndexes: {},
    addedChecks: {},
    changedChecks: {},
    removedChecks: {},
    addedTriggers: {},
    changedTriggers: {},
    removedTriggers: {},
    addedPolicies: {},
    removedPolicies: {},
    addedForeignKeys: {},
    changedForeignKeys: {},
    removedForeignKeys: {},
  }
  const difference: TableDifference = {
    ...nothing,
    ...some,
    name: found.getShortestName(),
    fromTable: found,
    toTable: wanted,
  }
  return withoutEnd(helperOf(platform).alterTable(difference, true))
}

/** MikroORM ends some statements with a semicolon. */
function withoutEnd(statements: readonly string[]): readonly string[] {
  return statements.map((sql) => sql.replace(/;\s*$/, '')).filter((sql) => sql !== '')
}

/** `version` is never null; its default makes it possible to add it to existing rows. */
function isOwnCounter(name: string): boolean {
  const version: (typeof ownColumns)[number] = 'version'
  return name === version
}
