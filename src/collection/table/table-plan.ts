import type { Transaction } from '@mikro-orm/core'
import {
  type AbstractSqlPlatform,
  DatabaseSchema,
  type DatabaseTable,
  SchemaComparator,
  type SchemaHelper,
  type TableDifference,
} from '@mikro-orm/sql'
import type { Store } from '../../database/store/store.ts'
import type { RunStatement } from '../../driver/facet/journal.ts'
import type { MikroORM } from '../../driver/orm.ts'
import { type Collection, kindOfField } from '../declaration/declaration.ts'
import { ownColumns } from '../declaration/names.ts'
import type { RowEntity } from './entity.ts'
import { imageTableOf } from './image-table.ts'
import type { DeniedOperations } from './rights.ts'

/** What the table of one collection lacks. */
export interface TablePlan {
  readonly collection: Collection
  /** True if the table does not exist. */
  readonly isAbsent?: boolean
  /** Statements that add what is missing, in order; empty if nothing is. */
  readonly statements: readonly string[]
  /** Why the table cannot be used; null if it can, perhaps after the statements. */
  readonly defect: { readonly column: string | null; readonly message: string } | null
  /** Existing text columns whose collation orders text otherwise than by its bytes. */
  readonly otherOrder?: readonly string[]
  /** True if a trigger, or a column of another type or precision, may store something else than what is written. */
  readonly mayRewrite?: boolean
  /** Why the database rejected the statements, in one sentence; someone with more rights must run them. */
  readonly refused?: string
  /** True if the table lacks what it had before. */
  readonly isGone?: boolean
  /** The operations that the database refuses on a whole table; null if it refuses none, or was not asked. */
  readonly denied?: DeniedOperations | null
}

/**
 * Compares the tables with the declarations and plans what to add; executes nothing. MikroORM's own `schema.update()` is
 * no option: it drops tables and triggers that it does not know.
 */
export async function planTables(
  store: Pick<Store, 'orm' | 'driver' | 'journal'>,
  collections: readonly Collection[],
  context?: Transaction,
): Promise<readonly TablePlan[]> {
  try {
    const found = await introspect(store.orm, collections, context)
    const plans: TablePlan[] = []
    for (const collection of collections) {
      const plan = planTable(store, collection, found.getTable(collection.name))
      plans.push(await withTriggers(store, plan, context))
    }
    return plans
  } catch (error) {
    const [only] = collections
    if (only === undefined || !isIntrospectionFailure(error)) throw error
    if (collections.length === 1) {
      // MikroORM cannot read a table with an untyped column; the other tables are still read, one by one.
      return [{ collection: only, statements: [], defect: { column: null, message: 'Its columns cannot be read.' } }]
    }
    const plans: TablePlan[] = []
    for (const collection of collections) plans.push(...(await planTables(store, [collection], context)))
    return plans
  }
}

/** The triggers of a journaling store are changed with the table, in one transaction: an older one misses a new column. */
async function withTriggers(
  { orm, journal }: Pick<Store, 'orm' | 'journal'>,
  plan: TablePlan,
  context: Transaction | undefined,
): Promise<TablePlan> {
  if (journal === null || plan.defect !== null) return plan
  const connection = orm.em.fork().getConnection()
  const run: RunStatement = async (sql, values) => await connection.execute(sql, [...values], 'all', context)
  const changes = await journal.triggerChanges(imageTableOf(plan.collection), run)
  return { ...plan, statements: [...plan.statements, ...changes] }
}

/** A programming error inside the library, as opposed to a database error. */
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

function planTable(
  { orm, driver, journal }: Pick<Store, 'orm' | 'driver' | 'journal'>,
  collection: Collection,
  found: DatabaseTable | undefined,
): TablePlan {
  const platform = platformOf(orm)
  const meta = orm.getMetadata().getByClassName<RowEntity>(collection.name)
  const schemaName = orm.config.get('schema') ?? platform.getDefaultSchemaName()
  const wanted = DatabaseSchema.fromMetadata([meta], platform, orm.config, schemaName).getTable(collection.name)
  if (wanted === undefined) throw new Error(`The entity of "${collection.name}" has no table.`)
  // A copy keeps what the primary has, be it there by raw SQL; requests are validated before.
  if (journal !== null) for (const column of wanted.getColumns()) column.nullable ||= !isOwnColumn(column.name)
  const { textCollation } = driver
  const texts = wanted.getColumns().filter(({ name }) => isText(collection, name))
  if (textCollation !== undefined) for (const column of texts) column.collation = textCollation
  if (found === undefined) {
    return { collection, isAbsent: true, statements: withoutEnd(helperOf(platform).createTable(wanted)), defect: null }
  }
  const defect = defectOf(found, wanted, platform)
  if (defect !== null) return { collection, statements: [], defect }
  const difference = new SchemaComparator(platform).diffTable(found, wanted)
  const isOther = (name: string): boolean => {
    const column = found.getColumn(name)
    return column !== undefined && !byteWise.test(column.collation ?? found.collation ?? '')
  }
  const otherOrder = textCollation === undefined ? [] : texts.filter(({ name }) => isOther(name))
  return {
    collection,
    statements: difference === false ? [] : withoutEnd(additions(difference, found, wanted, platform)),
    defect: null,
    otherOrder: otherOrder.map(({ name }) => name),
    mayRewrite:
      found.getTriggers().some(({ name }) => !isOwnTrigger(name)) ||
      (difference !== false && hasOtherTypes(difference)),
  }
}

/** Those of a journal change no row. */
function isOwnTrigger(name: string): boolean {
  return name.startsWith('holdfast_')
}

function hasOtherTypes({ changedColumns }: TableDifference): boolean {
  return Object.values(changedColumns).some(({ changedProperties }) => changedProperties.has('type'))
}

/** Collations that order text by its bytes. */
const byteWise = /^(?:c|posix|ucs_basic|c\.utf-?8)$/i

function isText({ fields }: Collection, column: string): boolean {
  const field = Object.hasOwn(fields, column) ? fields[column] : undefined
  return field !== undefined && kindOfField(field) === 'text'
}

/** MikroORM ends some statements with a semicolon. */
function withoutEnd(statements: readonly string[]): readonly string[] {
  return statements.map((sql) => sql.replace(/;\s*$/, '')).filter((sql) => sql !== '')
}

/** A difference that makes the table unusable: another key, a column of another type, a required column without a field. */
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
      const message = `Column "${column.name}" has type ${existing.type}; its field needs ${column.type}.`
      return { column: column.name, message }
    }
  }
  const foreign = found
    .getColumns()
    .find((column) => !wanted.hasColumn(column.name) && !column.nullable && column.default == null && !column.generated)
  if (foreign === undefined) return null
  return { column: foreign.name, message: `Column "${foreign.name}" requires a value, but no field sets it.` }
}

/** The additions among all differences. */
function additions(
  difference: TableDifference,
  found: DatabaseTable,
  wanted: DatabaseTable,
  platform: AbstractSqlPlatform,
): readonly string[] {
  const columns = wanted
    .getColumns()
    .filter((column) => !found.hasColumn(column.name))
    // Existing rows have no value for a new column.
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

function isOwnColumn(name: string): boolean {
  return name !== 'holdfast_attempt' && ownColumns.some((own) => own === name)
}

/** `version` is never null; its default makes it possible to add it to existing rows. */
function isOwnCounter(name: string): boolean {
  const version: (typeof ownColumns)[number] = 'version'
  return name === version
}
