import { type EntityProperty, type Platform, ReferenceKind, types } from '@mikro-orm/core'
import type { ImageColumn, ImageKind } from '../../driver/facet/image.ts'

/** A decimal of an application has digits that its column does not declare. */
type CopiedKind = Exclude<ImageKind, 'decimal'>

/** The column of a property, or why it cannot be copied, as a clause. */
export type PropertyColumn = { readonly column: ImageColumn } | { readonly why: string }

/**
 * How columns look in an image, by MikroORM's type for the type of the column: what SQLite gives back and compares as the
 * primary does. A decimal is no text, of which 10.0 is less than 9.0; a character type is padded by PostgreSQL.
 */
const kinds: ReadonlyMap<unknown, CopiedKind> = new Map<unknown, CopiedKind>([
  [types.string, 'text'],
  [types.text, 'text'],
  [types.uuid, 'text'],
  [types.enum, 'text'],
  [types.date, 'text'],
  [types.time, 'text'],
  [types.integer, 'integer'],
  [types.smallint, 'integer'],
  [types.mediumint, 'integer'],
  [types.tinyint, 'integer'],
  [types.bigint, 'integer'],
  [types.float, 'number'],
  [types.double, 'number'],
  [types.decimal, 'number'],
  [types.boolean, 'boolean'],
  [types.datetime, 'instant'],
  [types.json, 'json'],
])

const ownTypes: ReadonlySet<unknown> = new Set(Object.values(types))

/** Null: the property has no column in the table of its entity. `platform` is that of the property's ORM. */
export function copiedColumnOf(property: EntityProperty, platform: Platform): PropertyColumn | null {
  const { kind, owner, formula, generated, persist, polymorphic, fieldNames, columnTypes } = property
  if (kind === ReferenceKind.EMBEDDED || property.embedded !== undefined) return { why: 'is embedded' }
  if (formula !== undefined) return { why: 'is computed by the primary' }
  if (polymorphic || property.through !== undefined) return { why: 'refers to several entities' }
  if (kind === ReferenceKind.ONE_TO_MANY || kind === ReferenceKind.MANY_TO_MANY) return null
  if (kind === ReferenceKind.ONE_TO_ONE && !owner) return null
  if (persist === false && generated === undefined) return null
  const [name, ...more] = fieldNames
  const [type] = columnTypes
  if (name === undefined || type === undefined) return { why: 'has no column' }
  if (more.length > 0) return { why: 'refers to a key of several columns' }
  const kindOfColumn = property.nativeEnumName !== undefined && !property.array ? 'text' : columnKind(type, platform)
  if (kindOfColumn === null) return { why: `has a column of type "${type}", which the fallback cannot hold` }
  const misfit = misfitOf(property, type, kindOfColumn, platform)
  return misfit === null ? { column: { name, kind: kindOfColumn } } : { why: misfit }
}

function columnKind(type: string, platform: Platform): CopiedKind | null {
  return kinds.get(platform.getMappedType(type).constructor) ?? null
}

/** Why the property would read another value in SQLite, where a driver's own form of the column is converted; null: it reads the same. */
function misfitOf(property: EntityProperty, type: string, kind: CopiedKind, platform: Platform): string | null {
  const { customType, runtimeType } = property
  const isBig = platform.getMappedType(type).constructor === types.bigint
  if (customType !== undefined && !ownTypes.has(customType.constructor)) {
    const hasSql = property.hasConvertToJSValueSQL || property.hasConvertToDatabaseValueSQL
    const isSame = !hasSql && !isBig && (kind === 'text' || kind === 'integer' || kind === 'number')
    return isSame ? null : `has a type of the application over a column of type "${type}"`
  }
  switch (kind) {
    case 'text':
      // Where the database has arrays, its ORM writes them into texts in another form than SQLite's.
      return isArray(customType) && platform.getArrayDeclarationSQL().endsWith('[]') ? 'is an array in a text' : null
    case 'integer':
      return isBig && customType?.constructor !== types.bigint ? `reads a column of type "${type}" as it is` : null
    case 'number':
      return isText(property, type, platform) ? 'is a decimal that is read as text; a number can be held' : null
    case 'boolean':
      return runtimeType === 'boolean' ? null : 'is no boolean, and its column is one'
    case 'instant':
      return runtimeType === 'Date' ? null : 'is no Date, and its column is an instant'
    case 'json':
      return customType?.constructor === types.json ? null : 'is no JSON, and its column is'
  }
}

function isArray(customType: EntityProperty['customType']): boolean {
  return (
    customType !== undefined && (customType.constructor === types.array || customType.constructor === types.enumArray)
  )
}

/** As `DecimalType` itself decides. */
function isText({ customType, runtimeType }: EntityProperty, type: string, platform: Platform): boolean {
  if (platform.getMappedType(type).constructor !== types.decimal) return false
  return !(customType instanceof types.decimal) || (customType.mode ?? runtimeType) !== 'number'
}
