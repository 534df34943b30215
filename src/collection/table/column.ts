import type { EntityProperty, Platform } from '@mikro-orm/core'
import { keepsIntegersOnly } from '../../database/store/integers-only.ts'
import { decimalOf, type ImageKind, scaledInteger } from '../../driver/facet/image.ts'
import type { Value } from '../../driver/facet/statements.ts'
import type { MikroORM } from '../../driver/orm.ts'
import { type Collection, type FieldKind, kindOfField } from '../declaration/declaration.ts'
import { formatInstant, reformatInstant } from '../declaration/instant.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { RowEntity } from './entity.ts'
import { imageTableOf } from './image-table.ts'

/** A column of a collection in one store, with the conversions of its values. */
export interface Column {
  readonly name: string
  /** How its values look in an image. */
  readonly kind: ImageKind
  /** What its field is. */
  readonly field: FieldKind
  /** The database keeps integers of 64 bits that its client would round: it is selected as text. */
  readonly isReadAsText: boolean
  /** Of a decimal that the database keeps as an integer: the digits behind the point. Null: it is kept as it is. */
  readonly scaled: number | null
  /** Converts a value as MikroORM does, so that applications read the same one. */
  toDatabase(value: FieldValue): Value
  /** The JSON of a value from the native client or, with `isOwn`, from `toDatabase`. Never throws. */
  toJson(raw: unknown, isOwn?: boolean): string
}

/** The columns in the order of responses, then `holdfast_attempt`. */
export function columnsOf(orm: MikroORM, collection: Collection): readonly Column[] {
  const { properties } = orm.getMetadata().getByClassName<RowEntity>(collection.name)
  const platform = orm.em.getPlatform()
  const isIntegersOnly = keepsIntegersOnly(platform)
  return imageTableOf(collection).columns.map(({ name, kind, scale = 0 }) => {
    const property = properties[name]
    if (property === undefined) throw new Error(`The entity of "${collection.name}" has no property "${name}".`)
    const field = kindOfColumn(collection, name)
    const isReadAsText = isIntegersOnly && (field === 'decimal' || field === 'int64')
    const scaled = isReadAsText && field === 'decimal' ? scale : null
    const toDatabase = isReadAsText ? (value: FieldValue) => exactInteger(value) : encoderOf(property, platform)
    return { name, kind, field, isReadAsText, scaled, toDatabase, toJson: decoderOf(field, scaled, property, platform) }
  })
}

/** The kind of a column: that of its field, or of one of ours. */
function kindOfColumn({ fields }: Collection, name: string): FieldKind {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (field !== undefined) return kindOfField(field)
  if (name === 'version') return 'integer'
  return name === 'createdAt' || name === 'updatedAt' ? 'instant' : 'uuid'
}

/** Canonical text as the client binds an integer of 64 bits; a decimal is scaled. */
function exactInteger(value: FieldValue): Value {
  return value === null ? null : scaledInteger(String(value))
}

/** The same steps as in MikroORM: the type of the property, else the platform's form of a date. */
function encoderOf(property: EntityProperty, platform: Platform): (value: FieldValue) => Value {
  const { customType, name, runtimeType } = property
  // MikroORM writes booleans into the SQL text; bound values need the type of the column, which may be numeric.
  const isNumericBoolean = runtimeType === 'boolean' && !/^bool/i.test(property.columnTypes[0] ?? '')
  const context = { fromQuery: true, key: name, mode: 'query-data' } as const
  return (value) => {
    if (value === null) return null
    if (customType !== undefined) return customType.convertToDatabaseValue(value, platform, context) as Value // A value of the column.
    if (value instanceof Date) return platform.processDateProperty(value) as Value // A date in the form of the platform.
    if (isNumericBoolean) return value === true ? 1 : 0
    return value as Value // Text and numbers stay as they are; objects have a custom type.
  }
}

function decoderOf(
  field: FieldKind,
  scaled: number | null,
  property: EntityProperty,
  platform: Platform,
): (raw: unknown, isOwn?: boolean) => string {
  switch (field) {
    case 'integer':
    case 'number':
      return (raw) => (raw === null || raw === undefined ? 'null' : numberText(Number(raw)))
    case 'boolean':
      return (raw) => (raw === null || raw === undefined ? 'null' : raw ? 'true' : 'false')
    case 'instant':
      return (raw) => instantText(raw, platform)
    case 'object':
    case 'array':
      return jsonDecoder(property, platform)
    default:
      if (scaled !== null)
        return (raw) => (raw === null || raw === undefined ? 'null' : `"${decimalOf(String(raw), scaled)}"`)
      return (raw) => (typeof raw === 'string' ? JSON.stringify(raw) : textOf(raw))
  }
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : 'null'
}

function textOf(raw: unknown): string {
  return raw === null || raw === undefined ? 'null' : JSON.stringify(String(raw))
}

function instantText(raw: unknown, platform: Platform): string {
  if (raw === null || raw === undefined) return 'null'
  const known = typeof raw === 'string' ? reformatInstant(raw) : null
  if (known !== null) return `"${known}"`
  // A row that was just written is still encoded; not every platform's `parseDate` accepts a date.
  const isDate = typeof raw === 'number' || raw instanceof Date
  const date: unknown = isDate ? raw : platform.parseDate(String(raw))
  const text = typeof date === 'number' || date instanceof Date ? formatInstant(Number(date)) : null
  return text === null ? textOf(raw) : `"${text}"`
}

/**
 * Some databases return JSON as text, and rows that were just written hold it. The text of a server has blanks and an order of
 * its own, and so has a copy of it: it is written again, so that a row reads the same in every database. Fields of this kind
 * contain no bare strings, so text is never the value itself.
 */
function jsonDecoder(property: EntityProperty, platform: Platform): (raw: unknown, isOwn?: boolean) => string {
  const { customType } = property
  return (raw, isOwn = false) => {
    if (raw === null || raw === undefined) return 'null'
    if (typeof raw === 'string') return isOwn ? raw : jsonAgain(raw)
    return JSON.stringify(customType === undefined ? raw : customType.convertToJSValue(raw, platform)) ?? 'null'
  }
}

function jsonAgain(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return JSON.stringify(text)
  }
}
