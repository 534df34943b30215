import {
  type EntityMetadata,
  type EntityProperty,
  type EntitySchema,
  type Platform,
  ReferenceKind,
  types,
} from '@mikro-orm/core'
import { createProblem, type Problem } from '../../config/problem.ts'
import type { CopiedTable } from '../../driver/facet/feed.ts'
import type { ImageColumn } from '../../driver/facet/image.ts'
import type { MikroORM } from '../../driver/orm.ts'
import { collectionNameDefect } from '../declaration/names.ts'
import { copiedColumnOf } from './copied-column.ts'

/** Problems with the option `copyEntities`, by code; documentation and tests read it. */
export const copyEntityProblems = {
  COPY_ENTITY_UNFIT: 'An entity of the application cannot be copied. Its sessions get 503 in an outage.',
  COPY_ENTITY_LEFT_OUT: 'Entities of the application are not in "copyEntities". Its sessions get 503 in an outage.',
} as const

/** The tables of an application's entities that are copied, and problems with the others. */
export interface CopiedEntities {
  readonly tables: readonly CopiedTable[]
  readonly problems: readonly Problem[]
}

/** What an entity is judged with. */
interface Surrounding {
  readonly platform: Platform
  /** How many entities have a table of this name, in lower case. */
  readonly taken: ReadonlyMap<string, number>
  /** The classes of the entities that are to be copied. */
  readonly named: ReadonlySet<unknown>
}

const keyTypes: ReadonlySet<unknown> = new Set([types.string, types.text, types.uuid])

/**
 * The tables of an application's entities as a copy knows them, by what the ORM of the primary knows of them. `given` is the
 * option `copyEntities`, `own` the option `entities`, `isCollection` true of the name of a collection.
 */
export function copiedEntities(
  orm: MikroORM,
  given: readonly (EntitySchema | string)[],
  own: readonly EntitySchema[],
  isCollection: (name: string) => boolean = () => false,
): CopiedEntities {
  const metadata = orm.getMetadata()
  const ownNames = new Set(own.map(nameOf))
  const names = new Set(given.map(nameOf))
  const known = [...names].filter((name) => ownNames.has(name)).map((name) => metadata.getByClassName(name))
  const surrounding: Surrounding = {
    platform: orm.em.getPlatform(),
    taken: tablesByLowerName(orm),
    named: new Set(known.map((meta) => meta.class)),
  }
  const tables: CopiedTable[] = []
  const problems: Problem[] = []
  for (const name of names) if (!ownNames.has(name)) problems.push(unfitProblem(name, 'It is not one of "entities".'))
  for (const meta of known) {
    const found = copiedEntity(meta, surrounding)
    if (typeof found === 'string') problems.push(unfitProblem(meta.className, found))
    else tables.push(found)
  }
  const others = entitiesIn(orm, isCollection).filter(({ className }) => !names.has(className))
  if (others.length > 0) problems.push(leftOutProblem(others.map(({ className }) => className)))
  return { tables, problems }
}

/** The tables that a session of the application may read through its ORM, with their columns, but for those of the collections. */
export function entityTables(
  orm: MikroORM,
  isCollection: (name: string) => boolean,
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    entitiesIn(orm, isCollection).map(({ tableName, comparableProps }) => {
      return [tableName, comparableProps.flatMap(({ fieldNames = [] }) => fieldNames)]
    }),
  )
}

/** Those of relations among them: MikroORM finds entities that another one refers to, and makes some for their tables. */
function entitiesIn(orm: MikroORM, isCollection: (name: string) => boolean): readonly EntityMetadata[] {
  const all = [...orm.getMetadata().getAll().values()]
  return all.filter(({ abstract, embeddable, className }) => !abstract && !embeddable && !isCollection(className))
}

/** Plain JavaScript may pass anything. */
function nameOf(given: EntitySchema | string): string {
  return typeof given === 'string' ? given : String(given?.meta?.className)
}

function unfitProblem(name: string, why: string): Problem {
  return createProblem('COPY_ENTITY_UNFIT', 'warning', 'copyEntities', {
    origin: { from: 'options' },
    part: name,
    message: `The entity "${name}" cannot be copied into the fallback. ${why}`,
    suggestion: 'Change the entity. Until then sessions of the application get 503 in an outage.',
  })
}

function leftOutProblem(names: readonly string[]): Problem {
  return createProblem('COPY_ENTITY_LEFT_OUT', 'warning', 'copyEntities', {
    origin: { from: 'options' },
    message: `These entities are not copied into the fallback: ${names.join(', ')}.`,
    suggestion: 'Name all entities: sessions of the application get 503 in an outage while one is not copied.',
  })
}

/** SQLite does not tell two tables apart that differ only in case. */
function tablesByLowerName(orm: MikroORM): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { abstract, embeddable, tableName } of orm.getMetadata().getAll().values()) {
    if (abstract || embeddable) continue
    const name = tableName.toLowerCase()
    found.set(name, (found.get(name) ?? 0) + 1)
  }
  return found
}

/** A text: why it cannot be copied, as a sentence. */
function copiedEntity(meta: EntityMetadata, { platform, taken, named }: Surrounding): CopiedTable | string {
  const defect = entityDefect(meta) ?? nameDefect(meta.tableName, taken)
  if (defect !== null) return defect
  const columns = new Map<string, ImageColumn>()
  for (const property of meta.props) {
    const found = hasOtherTable(property, named)
      ? { why: 'has a table of its own, whose entity "copyEntities" does not name' }
      : copiedColumnOf(property, platform)
    if (found === null) continue
    if ('why' in found) return `Its property "${property.name}" ${found.why}.`
    const { column } = found
    const same = columns.get(column.name.toLowerCase()) ?? column
    if (same.name !== column.name || same.kind !== column.kind)
      return `Its columns "${same.name}" and "${column.name}" are one in the fallback.`
    columns.set(column.name.toLowerCase(), column)
  }
  return tableOf(meta, [...columns.values()], platform)
}

function entityDefect(meta: EntityMetadata): string | null {
  if (meta.abstract || meta.embeddable || meta.virtual || meta.view) return 'It has no table.'
  if (meta.inheritanceType !== undefined || meta.root !== meta || meta.tptParent !== undefined)
    return 'It shares its table with other entities.'
  if (meta.schema !== undefined) return `Its table is in the schema "${meta.schema}"; the fallback has none.`
  return meta.primaryKeys.length === 1 ? null : 'Its primary key has not one column.'
}

function nameDefect(table: string, taken: ReadonlyMap<string, number>): string | null {
  if (table.includes('.')) return `Its table "${table}" is in a schema; the fallback has none.`
  const defect = collectionNameDefect(table)
  if (defect !== null) return `Its table is "${table}": ${defect}.`
  return taken.get(table.toLowerCase()) === 1 ? null : `Its table "${table}" is that of another entity in the fallback.`
}

function hasOtherTable({ kind, pivotEntity }: EntityProperty, named: ReadonlySet<unknown>): boolean {
  return kind === ReferenceKind.MANY_TO_MANY && !named.has(pivotEntity)
}

function tableOf(meta: EntityMetadata, columns: readonly ImageColumn[], platform: Platform): CopiedTable | string {
  const { name, fieldNames, columnTypes } = meta.getPrimaryProp()
  const key = columns.find((column) => column.name === fieldNames[0])
  if (key?.kind === 'integer') return { name: meta.tableName, key, keyOrder: 'number', columns }
  const [type = ''] = columnTypes
  const mapped = platform.getMappedType(type).constructor
  if (key?.kind !== 'text' || !keyTypes.has(mapped))
    return `Its primary key "${name}" is none of a UUID, a whole number or a text.`
  // Only where the database itself makes its UUIDs so: MariaDB sorts its own type by other bytes first.
  const isUuid = mapped === types.uuid && type === platform.getUuidTypeDeclarationSQL({})
  return { name: meta.tableName, key, keyOrder: isUuid ? 'uuid' : 'bytes', columns }
}
