import { defineEntity, type EntitySchema, type OptionalProps, p } from '@mikro-orm/core'
import { drawId } from '../../database/work/work-session.ts'
import { bounds, type Collection, type Field, isInstant, isRequired } from '../declaration/declaration.ts'
import { textHash } from './text-hash.ts'

/** A row as an EntityManager gives it; the fields are the declaration's. */
export interface RowEntity {
  /** What hooks fill in when business code creates a row. */
  [OptionalProps]?: 'id' | 'createdAt' | 'updatedAt' | 'version' | 'holdfast_attempt'
  id: string
  createdAt: Date
  updatedAt: Date
  version: number
  /** The unit of work that wrote the row last; the ETag is made of it. Null: written by somebody else. */
  holdfast_attempt: string | null
  [field: string]: unknown
}

/** Milliseconds, where the database keeps instants as text or in a type of chosen precision. */
const instantDigits = 3

/** What every builder of a property can be told. The library types each builder on its own. */
interface Property {
  nullable(): Property
  fieldName(name: string): Property
  primary(): Property
  onCreate(draw: () => unknown): Property
  onUpdate(draw: () => unknown): Property
  version(): Property
  hidden(): Property
  length(length: number): Property
  runtimeType(name: string): Property
}

const entities = new WeakMap<Collection, EntitySchema<RowEntity>>()

/**
 * The entity of a collection, the same for the same declaration: table and columns are called as the declaration calls
 * them. Business code may use it with an EntityManager; ids, times, version and the ETag then follow from hooks.
 */
export function entityOf(collection: Collection): EntitySchema<RowEntity> {
  const known = entities.get(collection)
  if (known !== undefined) return known
  const made = defineRow(collection)
  entities.set(collection, made)
  return made
}

function defineRow(collection: Collection): EntitySchema<RowEntity> {
  const properties: Record<string, Property> = {
    id: column('id', p.uuid()).primary().onCreate(drawId),
  }
  for (const [name, field] of Object.entries(collection.fields)) {
    const made = column(name, propertyOf(field))
    properties[name] = isRequired(collection, name) ? made : made.nullable()
  }
  const now = () => new Date()
  properties.createdAt = column('createdAt', p.datetime(instantDigits)).onCreate(now)
  properties.updatedAt = column('updatedAt', p.datetime(instantDigits)).onCreate(now).onUpdate(now)
  properties.version = column('version', p.integer()).version()
  // Nullable: a row that somebody inserted by hand is a row like any other, only without an ETag.
  properties.holdfast_attempt = column('holdfast_attempt', p.uuid())
    .nullable()
    .hidden()
    .onCreate(drawId)
    .onUpdate(drawId)
  const entity = defineEntity({ name: collection.name, tableName: collection.name, properties, ...keysOf(collection) })
  // The properties are only known when the program runs, so the library's inference has nothing to say about them.
  return entity as unknown as EntitySchema<RowEntity>
}

/** The naming strategy would make `created_at` of `createdAt`; a column is called as its field. */
function column(name: string, builder: unknown): Property {
  return (builder as Property).fieldName(name) // Every builder has these methods; see `Property`.
}

function propertyOf(field: Field): unknown {
  switch (field.type) {
    case 'string': {
      if (isInstant(field)) return p.datetime(instantDigits)
      const { maxLength = bounds.defaultLength } = field
      return maxLength <= bounds.indexedLength ? p.string().length(maxLength) : p.text()
    }
    case 'integer':
      return isSmall(field.minimum) && isSmall(field.maximum) ? p.integer() : p.bigint('number')
    case 'number':
      return p.double().runtimeType('number')
    case 'boolean':
      return p.boolean()
    case 'object':
    case 'array':
      return p.json()
  }
}

/** True for a bound that keeps a value within 32 bits. */
function isSmall(bound: number | undefined): boolean {
  return bound !== undefined && Math.abs(bound) < 2 ** 31
}

function keysOf(collection: Collection): {
  indexes: { name: string; properties: string[] }[]
  uniques: { name: string; properties: string[] }[]
} {
  const keys = (collection.indexes ?? []).map((index) => ({ ...index, properties: [...index.fields] }))
  const named = (suffix: string) => (key: { properties: string[] }) => ({
    // Ours, so that an index is found again whatever naming strategy an application chooses.
    name: keyName(collection.name, key.properties, suffix),
    properties: key.properties,
  })
  return {
    indexes: keys.filter((key) => key.unique !== true).map(named('index')),
    uniques: keys.filter((key) => key.unique === true).map(named('unique')),
  }
}

/** Databases cut or refuse names above 63 bytes; two cut names could be the same. */
function keyName(table: string, fields: readonly string[], suffix: string): string {
  const whole = `${table}_${fields.join('_')}_${suffix}`
  if (whole.length <= 63) return whole
  return `${whole.slice(0, 63 - suffix.length - 10)}_${textHash(whole).toString(36)}_${suffix}`
}
