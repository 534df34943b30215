import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import {
  type Collection,
  type Field,
  type FieldKind,
  kindOfField,
  type ObjectMembers,
  type ScalarField,
} from '../../collection/declaration/declaration.ts'
import type { Operator } from '../../collection/filter/filter.ts'
import type { Schema } from './document.ts'
import { idSchema, instantSchema, safeIntegerSchema, valueSchema } from './value-schema.ts'

/** What a filter may compare, as the documentation enumerates it. */
export interface AskedPath {
  /** As it is written: `rating`, `meta.lang`. */
  readonly name: string
  readonly operators: readonly Operator[]
  /** Of an operand; of an array field, of one item. */
  readonly operand: Schema
}

/** Declared paths that are enumerated; filters take all of them. */
export const enumeratedPaths = 30

const compared = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'null'] as const
const named = ['eq', 'ne', 'in', 'nin', 'null'] as const

const operatorsByKind: Readonly<Record<FieldKind, readonly Operator[]>> = {
  text: [...compared, 'contains', 'startsWith', 'endsWith', 'icontains'],
  integer: compared,
  number: compared,
  decimal: compared,
  int64: compared,
  date: compared,
  instant: compared,
  uuid: named,
  boolean: ['eq', 'ne', 'null'],
  object: ['null'],
  array: ['null'],
}

const ownPaths: readonly AskedPath[] = [
  { name: 'id', operators: compared, operand: idSchema },
  { name: 'createdAt', operators: compared, operand: instantSchema },
  { name: 'updatedAt', operators: compared, operand: instantSchema },
  { name: 'version', operators: compared, operand: safeIntegerSchema },
]

/** The paths that this caller may compare: the columns of every collection, then the first ones that are declared. */
export function askedPaths({ fields }: Collection, { asked }: VisibleFields): readonly AskedPath[] {
  const declared = Object.entries(fields)
    .filter(([name]) => asked.has(name))
    .flatMap(([name, field]) => [pathOf(name, field), ...memberPaths(name, field)])
  return [...ownPaths, ...declared.slice(0, enumeratedPaths)]
}

/** True if there are paths that `askedPaths` does not have. */
export function hasMorePaths({ fields }: Collection, { asked }: VisibleFields): boolean {
  const declared = Object.entries(fields).filter(([name]) => asked.has(name))
  const count = declared.reduce((sum, [name, field]) => sum + 1 + memberPaths(name, field).length, 0)
  return count > enumeratedPaths || declared.some(([, { type }]) => type === 'object')
}

function memberPaths(name: string, field: Field | ScalarField | ObjectMembers): readonly AskedPath[] {
  if (field.type !== 'object' || field.properties === undefined) return []
  return Object.entries(field.properties).flatMap(([member, inner]) => {
    const path = `${name}.${member}`
    return inner.type === 'object' ? memberPaths(path, inner) : [pathOf(path, inner)]
  })
}

function pathOf(name: string, field: Field | ScalarField): AskedPath {
  if (field.type === 'array' && field.items !== undefined) {
    return { name, operators: ['has', 'null'], operand: comparable(valueSchema(field.items)) }
  }
  return { name, operators: operatorsByKind[kindOfField(field)], operand: comparable(valueSchema(field)) }
}

/** Any value of the type may be compared with, also one that no row may have. */
function comparable({ type, format, pattern, enum: values }: Schema): Schema {
  return {
    type,
    ...(format === undefined ? {} : { format }),
    ...(pattern === undefined || format === undefined ? {} : { pattern }),
    ...(values === undefined ? {} : { enum: values }),
  } as Schema
}
