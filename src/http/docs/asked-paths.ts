import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import type { Collection, Declared, ObjectMembers } from '../../collection/declaration/declaration.ts'
import type { Operator } from '../../collection/filter/filter.ts'
import { type OperandType, operatorsOf, pathOf } from '../../collection/filter/paths.ts'
import type { Schema } from './document.ts'
import { decimalSchema, idSchema, instantSchema, int64Schema, safeIntegerSchema } from './value-schema.ts'

/** What a filter may compare, as the documentation enumerates it. */
export interface AskedPath {
  /** As it is written: `rating`, `meta.lang`. */
  readonly name: string
  readonly operators: readonly Operator[]
  /** Of an operand; of an array field, of one item. */
  readonly operand: Schema
}

/** Declared paths that are enumerated for a collection, and for all of them together; filters take every path. */
const enumeratedPaths = { each: 30, all: 600 }

/** How many declared paths of each collection are enumerated: with very many collections fewer, since the document is built at once. */
export function pathsPerCollection(collections: number): number {
  return Math.min(enumeratedPaths.each, Math.floor(enumeratedPaths.all / Math.max(1, collections)))
}

/** The paths that this caller may compare: the columns of every collection, and the first ones that are declared. */
export function askedPaths(collection: Collection, { asked }: VisibleFields, most: number): readonly AskedPath[] {
  const { fields } = collection
  const own = [...asked].filter((name) => !Object.hasOwn(fields, name))
  const names = [...own, ...declaredNames(collection, asked).slice(0, most)]
  return names.map((name) => {
    const path = pathOf({ collection, asked }, name)
    return { name, operators: operatorsOf(path), operand: withValues(operandSchema(path.items ?? path), fields[name]) }
  })
}

/** True if there are paths that `askedPaths` does not have: very many, or members that are not declared. */
export function hasMorePaths(collection: Collection, { asked }: VisibleFields, most: number): boolean {
  const isOpen = Object.entries(collection.fields).some(([name, { type }]) => asked.has(name) && type === 'object')
  return isOpen || declaredNames(collection, asked).length > most
}

function declaredNames({ fields }: Collection, asked: ReadonlySet<string>): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    if (!asked.has(name)) return []
    return field.type === 'object' ? [name, ...memberNames(name, field.properties ?? {})] : [name]
  })
}

function memberNames(name: string, properties: ObjectMembers['properties']): readonly string[] {
  return Object.entries(properties).flatMap(([member, inner]) => {
    const path = `${name}.${member}`
    return inner.type === 'object' ? memberNames(path, inner.properties) : [path]
  })
}

/** Any value of the kind: a filter may compare with one that no row may have. */
function operandSchema({ kind, scale }: OperandType): Schema {
  switch (kind) {
    case 'integer':
      return safeIntegerSchema
    case 'number':
    case 'boolean':
      return { type: kind }
    case 'uuid':
      return idSchema
    case 'instant':
      // A bare date is its midnight.
      return { type: 'string', anyOf: [instantSchema, { type: 'string', format: 'date' }] }
    case 'date':
      return { type: 'string', format: 'date' }
    case 'decimal':
      return decimalSchema(scale ?? 0)
    case 'int64':
      return int64Schema
    default:
      return { type: 'string' }
  }
}

function withValues(schema: Schema, field: Declared | undefined): Schema {
  return field === undefined || !('enum' in field) ? schema : { ...schema, enum: field.enum }
}
