import type { Transaction } from '@mikro-orm/core'
import type { DatabaseTable, IndexDef } from '@mikro-orm/sql'
import { type Kysely, sql } from 'kysely'
import type { Collection } from '../../declaration/declaration.ts'
import { referenceIndexNames, referenceNames } from '../../declaration/names.ts'
import { referencesOf } from '../../declaration/references.ts'
import { alteration, helperOf, missingColumns } from './additions.ts'
import { type PlannedStore, platformOf } from './wanted-table.ts'

/** A key that a table lacks and that rows may stand against: unique, or a reference to other rows. */
export interface MissingKey {
  /** Of its index or constraint. */
  readonly name: string
  readonly statements: readonly string[]
  /** Why rows stand against it, with some of their ids; null: none does. Rejects with database errors. */
  look(context: Transaction | undefined): Promise<string | null>
}

/** A key that was not added, and why, as a clause. */
export interface OpenKey extends Pick<MissingKey, 'name' | 'statements'> {
  readonly why: string
  /** True if rows stand against it. */
  readonly areRows: boolean
}

/** Rows that are named. */
const shownRows = 10

/** Splits the indexes that a table lacks: those that rows may stand against, and the others. */
export function splitIndexes(
  store: PlannedStore,
  collection: Collection,
  found: DatabaseTable,
  wanted: DatabaseTable,
  indexes: readonly IndexDef[],
): { readonly plain: readonly IndexDef[]; readonly keys: readonly MissingKey[] } {
  const added = new Set(missingColumns(found, wanted).map(({ name }) => name))
  const references = isHeldHere(store) ? referencesOf(collection) : new Map<string, unknown>()
  const marks = referenceIndexNames(collection)
  const plain: IndexDef[] = []
  const keys: MissingKey[] = []
  for (const index of indexes) {
    const field = marks.get(index.keyName) ?? (index.unique ? index.columnNames[0] : undefined)
    const refers = field !== undefined && index.columnNames.length <= 2 && references.has(field) ? field : null
    // In a column that is new no row has a value.
    const isSafe = index.columnNames.some((name) => added.has(name)) || (!index.unique && refers === null)
    if (isSafe) plain.push(index)
    else {
      const statements = alteration(found, wanted, { addedIndexes: { [index.keyName]: index } }, platformOf(store.orm))
      const look: MissingKey['look'] = async (context) => {
        const twins = index.unique ? await lookForTwins(store, collection.name, index.columnNames, context) : null
        return twins ?? (refers === null ? null : await lookForOrphans(store, collection, refers, context))
      }
      keys.push({ name: index.keyName, statements, look })
    }
  }
  return { plain, keys }
}

/** The foreign keys that a table lacks, in a database that keeps references. */
export function missingForeignKeys(
  store: PlannedStore,
  collection: Collection,
  found: DatabaseTable,
): readonly MissingKey[] {
  if (!isHeldByDatabase(store)) return []
  const there = Object.values(found.getForeignKeys())
  const references = referencesOf(collection)
  return [...referenceNames(collection)].flatMap(([name, field]) => {
    const parent = references.get(field)?.collection ?? ''
    const isThere = there.some(
      ({ columnNames, referencedTableName }) =>
        columnNames.length === 1 && columnNames[0] === field && referencedTableName.split('.').at(-1) === parent,
    )
    if (isThere) return []
    const foreignKey = {
      constraintName: name,
      columnNames: [field],
      localTableName: found.getShortestName(),
      referencedColumnNames: ['id'],
      referencedTableName: parent,
    }
    const statement = helperOf(platformOf(store.orm)).createForeignKey(found, foreignKey)
    return [{ name, statements: [statement], look: (context) => lookForOrphans(store, collection, field, context) }]
  })
}

/** Whether the database keeps the references of collections, by foreign keys. */
export function isHeldByDatabase({ driver, journal }: PlannedStore): boolean {
  return driver.holdsReferences === true && journal === null
}

/** Whether Holdfast looks references up. A fallback may have rows whose parents it does not have. */
function isHeldHere({ driver, journal }: PlannedStore): boolean {
  return driver.holdsReferences !== true && journal === null
}

async function lookForTwins(
  store: PlannedStore,
  table: string,
  columns: readonly string[],
  context: Transaction | undefined,
): Promise<string | null> {
  const builder = builderOf(store)
  let query = builder
    .selectFrom(table)
    .select(({ fn }) => [fn.min<string>(idText(table)).as('one'), fn.max<string>(idText(table)).as('other')])
    .groupBy(columns.map((name) => `${table}.${name}`))
    .having(({ fn }) => fn.countAll(), '>', sql.lit(1))
    .limit(sql.lit(shownRows))
  for (const name of columns) query = query.where(`${table}.${name}`, 'is not', null)
  const rows = await run(store, query.compile(), context)
  if (rows.length === 0) return null
  const pairs = rows.map(({ one, other }) => `${one} and ${other}`)
  return `rows have the same value in ${listed(columns)}: ${pairs.join(', ')}${more(rows)}`
}

async function lookForOrphans(
  store: PlannedStore,
  collection: Collection,
  field: string,
  context: Transaction | undefined,
): Promise<string | null> {
  const { name } = collection
  const parent = referencesOf(collection).get(field)?.collection ?? ''
  const query = builderOf(store)
    .selectFrom(`${name} as child`)
    .select(idText('child').as('one'))
    .where(`child.${field}`, 'is not', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom(`${parent} as parent`).select(sql.lit(1).as('is')).whereRef('parent.id', '=', `child.${field}`),
        ),
      ),
    )
    .limit(sql.lit(shownRows))
    .compile()
  const rows = await run(store, query, context)
  if (rows.length === 0) return null
  return `rows refer in "${field}" to no row of "${parent}": ${rows.map(({ one }) => one).join(', ')}${more(rows)}`
}

function more(rows: readonly unknown[]): string {
  return rows.length < shownRows ? '' : ', and perhaps more'
}

function listed(columns: readonly string[]): string {
  return columns.map((name) => `"${name}"`).join(', ')
}

/** Each database knows `char`, and not each one the smallest of UUIDs. */
function idText(table: string) {
  return sql<string>`cast(${sql.ref(`${table}.id`)} as char(36))`
}

/** Any table: the declaration has the names. */
function builderOf({ orm }: PlannedStore): Kysely<Record<string, Record<string, unknown>>> {
  return orm.em.fork().getKysely() as unknown as Kysely<Record<string, Record<string, unknown>>>
}

async function run(
  { orm }: PlannedStore,
  { sql: text }: { readonly sql: string },
  context: Transaction | undefined,
): Promise<readonly Record<string, unknown>[]> {
  // Without parameters, which MikroORM writes otherwise than kysely.
  return await orm.em.fork().getConnection().execute(text, [], 'all', context)
}
