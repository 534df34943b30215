import type { Transaction } from '@mikro-orm/core'
import {
  type AbstractSqlPlatform,
  DatabaseSchema,
  type DatabaseTable,
  SchemaComparator,
  type SchemaHelper,
} from '@mikro-orm/sql'
import type { MikroORM } from '../../driver/orm.ts'
import type { Collection } from '../declaration/declaration.ts'
import type { ownColumns } from '../declaration/names.ts'
import type { RowEntity } from './entity.ts'

/** What one collection's table lacks. */
export interface TablePlan {
  readonly collection: Collection
  /** True when the table itself is not there. */
  readonly isAbsent?: boolean
  /** Statements that only add, in their order; empty when nothing is missing. */
  readonly statements: readonly string[]
  /** Why the table cannot be used; null when it can, or can once the statements ran. */
  readonly defect: { readonly column: string | null; readonly message: string } | null
  /** Why the database would not take the statements, in one sentence; they are for somebody with more rights. */
  readonly refused?: string
}

/**
 * Compares the tables with the declarations and plans what to add; executes nothing. MikroORM's own `schema.update()`
 * is not asked: it drops the tables and triggers that it does not know.
 */
export async function planTables(
  orm: MikroORM,
  collections: readonly Collection[],
  context?: Transaction,
): Promise<readonly TablePlan[]> {
  try {
    const found = await introspect(orm, collections, context)
    return collections.map((collection) => planTable(orm, collection, found.getTable(collection.name)))
  } catch (error) {
    const [only] = collections
    if (only === undefined || !isIntrospectionFailure(error)) throw error
    if (collections.length === 1) {
      // MikroORM cannot read a table with a column that has no type; the others must not suffer from it.
      return [{ collection: only, statements: [], defect: { column: null, message: 'Its columns cannot be read.' } }]
    }
    const plans: TablePlan[] = []
    for (const collection of collections) plans.push(...(await planTables(orm, [collection], context)))
    return plans
  }
}

/** A programming error inside the library, as opposed to what a database answers. */
function isIntrospectionFailure(error: unknown): boolean {
  return error instanceof TypeError
}

function introspect(
  orm: MikroORM,
  collections: readonly Collection[],
  context: Transaction | undefined,
): Promise<DatabaseSchema> {
  const platform = platformOf(orm)
  const names = collections.map(({ name }) => name)
  const connection = orm.em.fork().getConnection()
  const schemaName = orm.config.get('schema') ?? platform.getDefaultSchemaName()
  const schemas = schemaName === undefined ? undefined : [schemaName]
  return DatabaseSchema.create(connection, platform, orm.config, schemaName, schemas, names, [], [], context)
}

function platformOf(orm: MikroORM): AbstractSqlPlatform {
  return orm.em.getDriver().getPlatform()
}

function helperOf(platform: AbstractSqlPlatform): SchemaHelper {
  const helper = platform.getSchemaHelper()
  if (helper === undefined) throw new Error('This platform has no schema helper.')
  return helper
}

function planTable(orm: MikroORM, collection: Collection, found: DatabaseTable | undefined): TablePlan {
  const platform = platformOf(orm)
  const meta = orm.getMetadata().getByClassName<RowEntity>(collection.name)
  const schemaName = orm.config.get('schema') ?? platform.getDefaultSchemaName()
  const wanted = DatabaseSchema.fromMetadata([meta], platform, orm.config, schemaName).getTable(collection.name)
  if (wanted === undefined) throw new Error(`The entity of "${collection.name}" has no table.`)
  if (found === undefined) {
    return { collection, isAbsent: true, statements: withoutEnd(helperOf(platform).createTable(wanted)), defect: null }
  }
  const defect = defectOf(found, wanted, platform)
  if (defect !== null) return { collection, statements: [], defect }
  return { collection, statements: withoutEnd(additions(found, wanted, platform)), defect: null }
}

/** MikroORM ends some statements with a semicolon and others not. */
function withoutEnd(statements: readonly string[]): readonly string[] {
  return statements.map((sql) => sql.replace(/;\s*$/, '')).filter((sql) => sql !== '')
}

/** What our rows could not live with: another key, a column of another kind, a foreign column that must have a value. */
function defectOf(found: DatabaseTable, wanted: DatabaseTable, platform: AbstractSqlPlatform): TablePlan['defect'] {
  const key = found.getColumns().filter((column) => column.primary)
  if (key.length !== 1 || key[0]?.name !== 'id') {
    return { column: 'id', message: 'Its primary key is not the column "id".' }
  }
  for (const column of wanted.getColumns()) {
    const existing = found.getColumn(column.name)
    if (existing === undefined) continue
    const kinds = [existing.type, column.type].map((type) => platform.getMappedType(type).compareAsType())
    if (kinds[0] !== kinds[1]) {
      const message = `The column "${column.name}" is ${existing.type}; its field needs ${column.type}.`
      return { column: column.name, message }
    }
  }
  const foreign = found
    .getColumns()
    .find((column) => !wanted.hasColumn(column.name) && !column.nullable && column.default == null && !column.generated)
  if (foreign === undefined) return null
  return { column: foreign.name, message: `The column "${foreign.name}" must have a value, and no field gives it one.` }
}

/** Only what is added, of all that the comparison finds. */
function additions(found: DatabaseTable, wanted: DatabaseTable, platform: AbstractSqlPlatform): readonly string[] {
  const difference = new SchemaComparator(platform).diffTable(found, wanted)
  if (difference === false) return []
  const columns = wanted
    .getColumns()
    .filter((column) => !found.hasColumn(column.name))
    // The rows that are there have no value for it.
    .map((column) => ({ ...column, nullable: !isOwnCounter(column.name) }))
  const nothing = {
    changedColumns: {},
    removedColumns: {},
    renamedColumns: {},
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
  return helperOf(platform).alterTable(
    {
      name: difference.name,
      fromTable: found,
      toTable: wanted,
      addedColumns: Object.fromEntries(columns.map((column) => [column.name, column])),
      addedIndexes: difference.addedIndexes,
      ...nothing,
    },
    true,
  )
}

/** `version` has a default, so that it can be added to rows that are there; it is never null. */
function isOwnCounter(name: string): boolean {
  const version: (typeof ownColumns)[number] = 'version'
  return name === version
}
