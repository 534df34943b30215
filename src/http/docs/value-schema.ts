import {
  bounds,
  type Declared,
  type Field,
  kindOfField,
  longestOf,
  type ObjectMembers,
  referenceOf,
  type TextKeywords,
} from '../../collection/declaration/declaration.ts'
import { safeIntegers } from '../../collection/declaration/row-schema.ts'
import type { Schema } from './document.ts'

/** Items of an array that does not bound them. */
const defaultItems = 10_000

/** A row's id, and the id that a reference has. */
export const idSchema: Schema = { type: 'string', format: 'uuid' }

/** An instant; answers have it in UTC with milliseconds. */
export const instantSchema: Schema = { type: 'string', format: 'date-time' }

/** A whole number that JSON represents exactly. */
export const safeIntegerSchema: Schema = { type: 'integer', ...safeIntegers }

/** A whole number of 64 bits: text, because a JSON number loses digits. */
export const int64Schema: Schema = { type: 'string', format: 'int64', pattern: '^-?(?:0|[1-9][0-9]{0,18})$' }

/** The JSON Schema of a value of a field, a member or an item. It has standard keywords alone, so that every tool can read it. */
export function valueSchema(field: Declared): Schema {
  switch (field.type) {
    case 'string':
      return textSchema(field)
    case 'integer':
    case 'number':
      return {
        ...(field.type === 'integer' ? safeIntegerSchema : { type: 'number' }),
        ...(field.minimum === undefined ? {} : { minimum: field.minimum }),
        ...(field.maximum === undefined ? {} : { maximum: field.maximum }),
        ...(field.enum === undefined ? {} : { enum: [...field.enum] }),
      }
    case 'boolean':
      return { type: 'boolean' }
    case 'object':
      return { type: 'object', ...membersOf(field.properties), additionalProperties: true }
    case 'array':
      return {
        type: 'array',
        items: field.items === undefined ? {} : valueSchema(field.items),
        maxItems: field.maxItems ?? defaultItems,
      }
  }
}

function membersOf(properties: ObjectMembers['properties'] | undefined): Pick<Schema, 'properties'> {
  if (properties === undefined) return {}
  const members = Object.entries(properties).map(([name, one]) => [name, orNullSchema(valueSchema(one))])
  return { properties: Object.fromEntries(members) }
}

function textSchema(field: TextKeywords & { readonly type: 'string' }): Schema {
  switch (kindOfField(field)) {
    case 'instant':
      return instantSchema
    case 'date':
      return { type: 'string', format: 'date' }
    case 'uuid':
      return idSchema
    case 'decimal':
      return decimalSchema(field.scale ?? 0)
    case 'int64':
      return int64Schema
    default: {
      const { format, minLength, pattern } = field
      return {
        type: 'string',
        ...(format === undefined ? {} : { format }),
        ...(minLength === undefined ? {} : { minLength }),
        maxLength: longestOf(field),
        ...(pattern === undefined ? {} : { pattern }),
        ...(field.enum === undefined ? {} : { enum: [...field.enum] }),
      }
    }
  }
}

/** Text, because a JSON number loses digits. */
export function decimalSchema(scale: number): Schema {
  const whole = `(?:0|[1-9][0-9]{0,${bounds.decimalDigits - scale - 1}})`
  const fraction = scale === 0 ? '' : `(?:\\.[0-9]{1,${scale}})?`
  return { type: 'string', format: 'decimal', pattern: `^-?${whole}${fraction}$` }
}

/** The same value, or null. */
export function orNullSchema(schema: Schema): Schema {
  // One type, as `valueSchema` makes them.
  const type = schema.type as Exclude<typeof schema.type, readonly unknown[] | undefined>
  const nullable = { ...schema, type: [type, 'null'] } as Schema
  return schema.enum === undefined ? nullable : { ...nullable, enum: [...schema.enum, null] }
}

/** What a field is, in a sentence or a few: its own description, and what a schema cannot say. */
export function fieldDescription(field: Field): string | null {
  const reference = referenceOf(field)
  const sentences = [
    field.description,
    reference === null ? undefined : `The id of a row of ${reference.collection}.`,
    'unique' in field ? 'No two rows have the same value.' : undefined,
    field.type === 'object' || field.type === 'array'
      ? `At most ${field.maxBytes ?? bounds.defaultBytes} bytes of JSON.`
      : undefined,
  ].filter((sentence) => sentence !== undefined)
  return sentences.length === 0 ? null : sentences.join(' ')
}
