import type { Transaction } from '@mikro-orm/core'
import {
  type Column,
  type ColumnDifference,
  DatabaseSchema,
  type DatabaseTable,
  SchemaComparator,
  type TableDifference,
} from '@mikro-orm/sql'
import type { RunStatement } from '../../../driver/facet/journal.ts'
import type { Collection } from '../../declaration/declaration.ts'
import { supersededNames } from '../../declaration/names.ts'
import { imageTableOf } from '../image-table.ts'
import type { DeniedOperations } from '../rights.ts'
import { addition, alteration, creation, helperOf } from './additions.ts'
import { defectOf, type TableDefect } from './defects.ts'
import { type MissingKey, missingForeignKeys, type OpenKey, splitIndexes } from './keys.ts'
import { isText, type PlannedStore, platformOf, schemaNameOf, wantedTable } from './wanted-table.ts'

/** What the table of one collection lacks. */
export interface TablePlan {
  readonly collection: Collection
  /** True if the table does not exist. */
  readonly isAbsent?: boolean
  /** Statements that add what is missing, in order; empty if nothing is. */
  readonly statements: readonly string[]
  /** Why the table cannot be used; null if it can, perhaps after the statements. */
  readonly defect: TableDefect | null
  /** Keys that it lacks besides: rows may stand against them. */
  readonly keys?: readonly MissingKey[]
  /** Those of them that were not added. Without them it can be read. */
  readonly openKeys?: readonly OpenKey[]
  /** Existing text columns whose collation orders text otherwise than by its bytes; what would change them. */
  readonly otherOrder?: { readonly columns: readonly string[]; readonly statements: readonly string[] }
  /** Columns that may have no value, whatever the declaration says: it binds what is written from now on. */
  readonly nullable?: readonly string[]
  /** Indexes that Holdfast made before, which another one has replaced. */
  readonly superseded?: readonly SupersededIndex[]
  /** True if a trigger, or a column of another type or precision, may store something else than what is written. */
  readonly mayRewrite?: boolean
  /** Why the database rejected the statements, in one sentence; someone with more rights must run them. */
  readonly refused?: string
  /** True if the table lacks what it had before. */
  readonly isGone?: boolean
  /** The operations that the database refuses on a whole table; null if it refuses none, or was not asked. */
  readonly denied?: DeniedOperations | null
}

/** An index that another one has replaced, and the statement that drops it. */
export interface SupersededIndex {
  readonly name: string
  readonly drop: string
}

/**
 * Compares the tables with the declarations and plans what to add; executes nothing. MikroORM's own `schema.update()` is
 * no option: it drops tables and triggers that it does not know.
 */
export async function planTables(
  store: PlannedStore,
  collections: readonly Collection[],
  context?: Transaction,
): Promise<readonly TablePlan[]> {
  try {
    const found = await introspect(store, collections, context)
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
  { orm, journal }: PlannedStore,
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
  { orm }: PlannedStore,
  collections: readonly Collection[],
  context: Transaction | undefined,
): Promise<DatabaseSchema> {
  const platform = platformOf(orm)
  const names = collections.map(({ name }) => name)
  const connection = orm.em.fork().getConnection()
  const schemaName = schemaNameOf(orm)
  const schemas = schemaName === undefined ? undefined : [schemaName]
  return DatabaseSchema.create(connection, platform, orm.config, schemaName, schemas, names, [], [], context)
}

function planTable(store: PlannedStore, collection: Collection, found: DatabaseTable | undefined): TablePlan {
  const platform = platformOf(store.orm)
  const wanted = wantedTable(store, collection)
  // What is added to a table has no value in the rows that are there.
  const isNullable = ({ name, nullable }: Column) =>
    (found === undefined ? nullable : found.getColumn(name)?.nullable) !== false
  const nullable = wanted
    .getColumns()
    .filter(isNullable)
    .map(({ name }) => name)
  if (found === undefined)
    return { collection, isAbsent: true, statements: creation(wanted, platform), defect: null, nullable }
  const defect = defectOf(found, wanted, platform)
  if (defect !== null) return { collection, statements: [], defect }
  const difference = new SchemaComparator(platform).diffTable(found, wanted)
  const indexes = difference === false ? [] : Object.values(difference.addedIndexes)
  const { plain, keys } = splitIndexes(store, collection, found, wanted, indexes)
  return {
    collection,
    statements: difference === false ? [] : addition(found, wanted, plain, platform),
    defect: null,
    keys: [...keys, ...missingForeignKeys(store, collection, found)],
    otherOrder: otherOrderOf(store, collection, found, wanted),
    nullable,
    superseded: supersededNames(collection).flatMap((name) => {
      const index = found.getIndex(name)
      return index === undefined ? [] : [{ name, drop: helperOf(platform).dropIndex(found.getShortestName(), index) }]
    }),
    mayRewrite:
      found.getTriggers().some(({ name }) => !isOwnTrigger(name)) ||
      (difference !== false && hasOtherTypes(difference)),
  }
}

/** Text columns that do not sort by the bytes of their text. */
function otherOrderOf(
  { driver, orm }: PlannedStore,
  collection: Collection,
  found: DatabaseTable,
  wanted: DatabaseTable,
): NonNullable<TablePlan['otherOrder']> {
  const collation = driver.textCollation ?? orm.config.get('collate')
  // Where neither the driver nor its options say one, the database's own orders by bytes.
  const own = driver.textCollation === undefined ? (collation ?? 'binary') : ''
  const changed: Record<string, ColumnDifference> = {}
  for (const column of wanted.getColumns()) {
    const { name } = column
    const existing = found.getColumn(name)
    if (existing === undefined || !isText(collection, name)) continue
    if (byteWise.test(existing.collation ?? found.collation ?? own)) continue
    const wantedColumn = collation === undefined ? column : { ...column, collation }
    const changedProperties = new Set(['type', 'collation'])
    changed[name] = { oldColumnName: name, column: wantedColumn, fromColumn: existing, changedProperties }
  }
  const columns = Object.keys(changed)
  const platform = platformOf(orm)
  const statements = columns.length === 0 ? [] : alteration(found, wanted, { changedColumns: changed }, platform)
  return { columns, statements }
}

/** Those of a journal change no row. */
function isOwnTrigger(name: string): boolean {
  return name.startsWith('holdfast_')
}

function hasOtherTypes({ changedColumns }: TableDifference): boolean {
  return Object.values(changedColumns).some(({ changedProperties }) => changedProperties.has('type'))
}

/** Collations that order text by its bytes. */
const byteWise = /^(?:c|posix|ucs_basic|c\.utf-?8|binary|\w+_bin)$/i
