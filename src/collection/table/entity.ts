import { defineEntity, type EntitySchema, type OptionalProps, p } from '@mikro-orm/core'
import { openAttemptOf } from '../../database/store/transaction-attempts.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import type { EntityManager } from '../../driver/orm.ts'
import {
  bounds,
  type Collection,
  type Field,
  indexesOf,
  isRequired,
  kindOfField,
  longestOf,
  type StringField,
} from '../declaration/declaration.ts'
import { indexNames } from '../declaration/names.ts'
import { DecimalText } from './decimal-text.ts'

/** A row as an EntityManager returns it; its fields are those of the declaration. */
export interface RowEntity {
  /** Hooks set these when an application creates a row. */
  [OptionalProps]?: 'id' | 'createdAt' | 'updatedAt' | 'version' | 'holdfast_attempt'
  id: string
  createdAt: Date
  updatedAt: Date
  version: number
  /** The attempt that wrote the row last; the ETag is made from it. Null if it was written outside Holdfast. */
  holdfast_attempt: string | null
  [field: string]: unknown
}

/** Milliseconds, in databases that store instants as text or with a chosen precision. */
const instantDigits = 3

/** The common methods of MikroORM's property builders, which it types one by one. */
interface Property {
  nullable(): Property
  fieldName(name: string): Property
  primary(): Property
  onCreate(draw: (row: RowEntity, em: EntityManager) => unknown): Property
  onUpdate(draw: (row: RowEntity, em: EntityManager) => unknown): Property
  version(): Property
  hidden(): Property
  length(length: number): Property
  runtimeType(name: string): Property
}

const entities = new WeakMap<Collection, EntitySchema<RowEntity>>()

/**
 * The entity of a collection, cached per declaration. Table and columns have the names in the declaration. Applications
 * may use it with an EntityManager; hooks then set ids, times, version and attempt.
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
  // A second look at the clock may be a millisecond later, and the row would seem to have been changed.
  const asCreated = ({ createdAt = now() }: RowEntity) => createdAt
  properties.updatedAt = column('updatedAt', p.datetime(instantDigits)).onCreate(asCreated).onUpdate(now)
  properties.version = column('version', p.integer()).version()
  // Nullable: a row inserted by hand is a row like any other, but has no ETag.
  properties.holdfast_attempt = column('holdfast_attempt', p.uuid())
    .nullable()
    .hidden()
    .onCreate(attemptFor)
    .onUpdate(attemptFor)
  const entity = defineEntity({ name: collection.name, tableName: collection.name, properties, ...keysOf(collection) })
  // The properties are known only at run time, so the library cannot infer their types.
  return entity as unknown as EntitySchema<RowEntity>
}

/** A flush gives its rows the attempt of its transaction afterwards; an upsert, and an application's own ORM, keep this one. */
function attemptFor(_row: RowEntity, em: EntityManager): string {
  return openAttemptOf(em) ?? drawId()
}

/** Keeps the name of the field; the naming strategy would turn `createdAt` into `created_at`. */
function column(name: string, builder: unknown): Property {
  return (builder as Property).fieldName(name) // Every builder has these methods; see `Property`.
}

function propertyOf(field: Field): unknown {
  switch (field.type) {
    case 'string':
      return textProperty(field)
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

function textProperty(field: StringField): unknown {
  switch (kindOfField(field)) {
    case 'instant':
      return p.datetime(instantDigits)
    case 'date':
      return p.date()
    case 'uuid':
      return p.uuid()
    case 'decimal':
      return p
        .type(DecimalText)
        .precision(bounds.decimalDigits)
        .scale(field.scale ?? 0)
    case 'int64':
      return p.bigint('string')
    default: {
      const length = longestOf(field)
      return length <= bounds.indexedLength ? p.string().length(length) : p.text()
    }
  }
}

/** True if the bound keeps values within 32 bits. */
function isSmall(bound: number | undefined): boolean {
  return bound !== undefined && Math.abs(bound) < 2 ** 31
}

interface Key {
  readonly name: string
  readonly properties: string[]
}

function keysOf(collection: Collection): { indexes: Key[]; uniques: Key[] } {
  const names = indexNames(collection)
  const keys = indexesOf(collection).map(({ fields, unique }, at) => {
    // Lists are sorted by the id where nothing else decides: without it in the index, all rows of one value would be sorted for a page.
    const properties = unique === true ? [...fields] : [...fields, 'id']
    return { unique, key: { name: names[at] ?? '', properties } }
  })
  return {
    indexes: keys.filter(({ unique }) => unique !== true).map(({ key }) => key),
    uniques: keys.filter(({ unique }) => unique === true).map(({ key }) => key),
  }
}
