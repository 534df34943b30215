import { type AbstractSqlPlatform, DatabaseSchema, type DatabaseTable } from '@mikro-orm/sql'
import type { Store } from '../../../database/store/store.ts'
import type { MikroORM } from '../../../driver/orm.ts'
import { type Collection, kindOfField } from '../../declaration/declaration.ts'
import { ownColumns } from '../../declaration/names.ts'
import type { RowEntity } from '../entity.ts'

/** The parts of a store that its tables depend on. */
export type PlannedStore = Pick<Store, 'orm' | 'driver' | 'journal'>

/** MikroORM's platform of a store: its dialect, its types, its schema helper. */
export function platformOf(orm: MikroORM): AbstractSqlPlatform {
  return orm.em.getDriver().getPlatform()
}

/** The schema that the tables are in; undefined where the database has none. */
export function schemaNameOf(orm: MikroORM): string | undefined {
  return orm.config.get('schema') ?? platformOf(orm).getDefaultSchemaName()
}

/** The table that a collection needs in a store. */
export function wantedTable({ orm, driver, journal }: PlannedStore, collection: Collection): DatabaseTable {
  const platform = platformOf(orm)
  const meta = orm.getMetadata().getByClassName<RowEntity>(collection.name)
  const schema = DatabaseSchema.fromMetadata([meta], platform, orm.config, schemaNameOf(orm))
  const wanted = schema.getTable(collection.name)
  if (wanted === undefined) throw new Error(`The entity of "${collection.name}" has no table.`)
  // A copy keeps what the primary has, be it there by raw SQL; requests are validated before.
  if (journal !== null) for (const column of wanted.getColumns()) column.nullable ||= !isOwnColumn(column.name)
  const { textCollation } = driver
  if (textCollation !== undefined) {
    for (const column of wanted.getColumns()) if (isText(collection, column.name)) column.collation = textCollation
  }
  if (!platform.sortsNullsLowest()) placeNullsFirst(wanted)
  return wanted
}

/**
 * Null is the smallest value of every sort. Where the database has it last, an index serves that order only if it is made so; a
 * constraint cannot be.
 */
function placeNullsFirst(table: DatabaseTable): void {
  for (const index of table.getIndexes()) {
    const nullable = index.columnNames.filter((name) => table.getColumn(name)?.nullable === true)
    if (index.primary || nullable.length === 0) continue
    index.columns = nullable.map((name) => ({ name, nulls: 'FIRST' }))
    index.constraint = false
  }
}

/** True for a column of text, which has a collation. */
export function isText({ fields }: Collection, column: string): boolean {
  const field = Object.hasOwn(fields, column) ? fields[column] : undefined
  return field !== undefined && kindOfField(field) === 'text'
}

function isOwnColumn(name: string): boolean {
  return name !== 'holdfast_attempt' && ownColumns.some((own) => own === name)
}
