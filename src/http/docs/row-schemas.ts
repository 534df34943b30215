import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import { type Collection, type Field, isRequired, kindOfField } from '../../collection/declaration/declaration.ts'
import type { Schema } from './document.ts'
import {
  fieldDescription,
  idSchema,
  instantSchema,
  orNullSchema,
  safeIntegerSchema,
  valueSchema,
} from './value-schema.ts'

/** Words that stand for a value that the service draws for each row, by the kind of their field. */
const drawnDefaults: Readonly<Record<string, string>> = { instant: 'now', date: 'today', uuid: 'uuid' }

const ownSchemas: Readonly<Record<string, Schema>> = {
  id: { ...idSchema, description: 'Never changes.' },
  createdAt: { ...instantSchema, description: 'When the row was created, in UTC.' },
  updatedAt: { ...instantSchema, description: 'When the row was last changed, in UTC.' },
  version: { type: 'integer', minimum: 1, description: 'Counts the changes of the row.' },
}

/** A row as it is answered to a caller who sees these fields. */
export function rowSchema(collection: Collection, visible: VisibleFields): Schema {
  const properties = visible.answered.map((name): [string, Schema] => {
    const field = fieldOf(collection, name)
    return [name, field === null ? (ownSchemas[name] ?? {}) : described(collection, name, field)]
  })
  return {
    type: 'object',
    ...(collection.description === undefined ? {} : { description: collection.description }),
    properties: Object.fromEntries(properties),
    required: [...visible.answered],
  }
}

/**
 * The body of a create: fields that are absent get their default, or null. The defaults are keywords, or words: generators of
 * clients take a field with the keyword for one that must be sent.
 */
export function createSchema(collection: Collection, visible: VisibleFields, defaults: 'keywords' | 'words'): Schema {
  const names = [...visible.written]
  const needed = names.filter(
    (name) => isRequired(collection, name) && fieldOf(collection, name)?.default === undefined,
  )
  const properties = names.map((name) => [name, bodyFieldSchema(collection, name, defaults)])
  const id = { ...idSchema, description: 'Drawn by the service if it is absent.' }
  return {
    type: 'object',
    properties: Object.fromEntries(collection.ids === 'client' ? [['id', id], ...properties] : properties),
    ...(needed.length === 0 ? {} : { required: needed }),
    additionalProperties: false,
  }
}

/** A whole row with its id, as `PUT` of an array has it. */
export function replaceSchema(collection: Collection, visible: VisibleFields): Schema {
  const { properties, required = [], ...rest } = createSchema(collection, visible, 'words')
  return { ...rest, properties: { id: idSchema, ...properties }, required: ['id', ...required] } as Schema
}

/** The body of a `PATCH`: only the fields that are to change. */
export function changeSchema(collection: Collection, visible: VisibleFields): Schema {
  const names = [...visible.written]
  const properties = names.map((name) => [name, bodyFieldSchema(collection, name, 'none')])
  const counters = names.flatMap((name): [string, Schema][] => {
    const step = incrementSchema(fieldOf(collection, name))
    return step === null ? [] : [[name, step]]
  })
  const increments: Schema = {
    type: 'object',
    description: 'Numbers to add, atomically and within the bounds of their fields.',
    properties: Object.fromEntries(counters),
    additionalProperties: false,
  }
  return {
    type: 'object',
    properties: Object.fromEntries(counters.length === 0 ? properties : [...properties, ['$inc', increments]]),
    additionalProperties: false,
  }
}

/** What `$inc` adds to a field; null: it is not a number that is exact. */
function incrementSchema(field: Field | null): Schema | null {
  if (field === null) return null
  const kind = kindOfField(field)
  if (kind === 'integer') return safeIntegerSchema
  return kind === 'int64' || kind === 'decimal' ? valueSchema(field) : null
}

function bodyFieldSchema(collection: Collection, name: string, defaults: 'keywords' | 'words' | 'none'): Schema {
  const field = fieldOf(collection, name)
  if (field === null) return {}
  const schema = described(collection, name, field)
  const { default: given } = field
  if (defaults === 'none' || given === undefined) return schema
  const isDrawn = drawnDefaults[kindOfField(field)] === given
  if (!isDrawn && defaults === 'keywords') return { ...schema, default: given }
  const sentence = isDrawn ? `Drawn by the service if it is absent: ${given}.` : `Defaults to ${JSON.stringify(given)}.`
  return { ...schema, description: schema.description === undefined ? sentence : `${schema.description} ${sentence}` }
}

function described(collection: Collection, name: string, field: Field): Schema {
  const schema = isRequired(collection, name) ? valueSchema(field) : orNullSchema(valueSchema(field))
  const description = fieldDescription(field)
  return description === null ? schema : { ...schema, description }
}

/** Null for a column that every collection has. */
function fieldOf({ fields }: Collection, name: string): Field | null {
  return Object.hasOwn(fields, name) ? (fields[name] ?? null) : null
}
