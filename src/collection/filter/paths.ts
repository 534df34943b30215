import {
  type Collection,
  type FieldKind,
  kindOfField,
  type ObjectMembers,
  type ScalarField,
} from '../declaration/declaration.ts'
import { type FieldPath, filterLimits, type Operator } from './filter.ts'
import { queryInvalid, queryTooComplex, quoted, suggestionFor } from './query-error.ts'

/** A collection as one caller sees it: the names that a query may use are those in `asked`, and no others exist. */
export interface AskedCollection {
  readonly collection: Collection
  readonly asked: ReadonlySet<string>
}

/** How operands of a path are read. */
export interface OperandType {
  readonly kind: FieldPath['kind']
  readonly scale?: number
}

const ownKinds: ReadonlyMap<string, FieldKind> = new Map([
  ['id', 'uuid'],
  ['createdAt', 'instant'],
  ['updatedAt', 'instant'],
  ['version', 'integer'],
])

const memberPattern = /^[A-Za-z0-9_-]{1,64}$/

const equality = ['eq', 'ne', 'in', 'nin', 'null'] as const
const ordered = [...equality, 'gt', 'gte', 'lt', 'lte'] as const
const textual = [...ordered, 'contains', 'startsWith', 'endsWith', 'icontains'] as const
const undeclared = [...equality, 'contains', 'startsWith'] as const

/** The operators that a path accepts. */
export function operatorsOf({ kind, field, items }: FieldPath): readonly Operator[] {
  switch (kind) {
    case 'text':
      return textual
    case 'integer':
    case 'number':
    case 'decimal':
    case 'int64':
    case 'date':
    case 'instant':
      return ordered
    case 'uuid':
      return field === 'id' ? ordered : equality
    case 'boolean':
      return ['eq', 'ne', 'null']
    case 'array':
      return items === undefined ? ['null'] : ['has', 'null']
    case 'object':
      return ['null']
    case 'undeclared':
      return undeclared
  }
}

/** The path of this name. Throws QUERY_INVALID if it does not exist for the caller; `others`: names that it may be mistaken for. */
export function pathOf(of: AskedCollection, name: string, pointer?: string, others: readonly string[] = []): FieldPath {
  const [field = '', ...members] = name.split('.')
  if (!of.asked.has(field)) {
    const what = others.length === 0 ? 'field' : 'field or parameter'
    throw queryInvalid(`Unknown ${what} ${quoted(field)}. ${suggestionFor(field, [...of.asked, ...others])}`, pointer)
  }
  if (members.length === 0) return fieldPath(of.collection, field)
  if (members.length > filterLimits.members) {
    throw queryTooComplex(`A path may have at most ${filterLimits.members} members.`, pointer)
  }
  const wrong = members.find((member) => !memberPattern.test(member) || member === '__proto__')
  if (wrong !== undefined) {
    throw queryInvalid(
      `${quoted(wrong)} is not a valid member of a path. Members are 1 to 64 letters, digits, "_" and "-".`,
      pointer,
    )
  }
  return memberPath(of.collection, name, field, members, pointer)
}

/** The path of a field that exists. */
export function fieldPath({ fields }: Collection, name: string): FieldPath {
  const own = ownKinds.get(name)
  if (own !== undefined) return { name, field: name, members: [], kind: own }
  const declared = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (declared === undefined) throw new TypeError(`There is no field "${name}".`)
  const path = { name, field: name, members: [], kind: kindOfField(declared), ...scaleOf(declared) }
  if (declared.type !== 'array' || declared.items === undefined) return path
  return { ...path, items: { kind: kindOfField(declared.items), ...scaleOf(declared.items) } }
}

function memberPath(
  { fields }: Collection,
  name: string,
  field: string,
  members: readonly string[],
  pointer: string | undefined,
): FieldPath {
  let at: ScalarField | ObjectMembers | Collection['fields'][string] | undefined = Object.hasOwn(fields, field)
    ? fields[field]
    : undefined
  let known = field
  for (const member of members) {
    if (at?.type !== 'object') {
      throw queryInvalid(`${quoted(known)} is not an object, so it has no member ${quoted(member)}.`, pointer)
    }
    const properties: ObjectMembers['properties'] | undefined = at.properties
    if (properties === undefined || !Object.hasOwn(properties, member)) {
      return { name, field, members, kind: 'undeclared' }
    }
    at = properties[member]
    known = `${known}.${member}`
  }
  if (at === undefined) return { name, field, members, kind: 'undeclared' }
  return { name, field, members, kind: kindOfField(at), ...scaleOf(at) }
}

function scaleOf(field: Collection['fields'][string] | ScalarField | ObjectMembers): { readonly scale?: number } {
  return field.type === 'string' && field.format === 'decimal' ? { scale: field.scale ?? 0 } : {}
}

/** The operator of this name for the path. Throws QUERY_INVALID. */
export function operatorOf(path: FieldPath, name: string, pointer?: string): Operator {
  const possible = operatorsOf(path)
  const found = possible.find((operator) => operator === name)
  if (found !== undefined) return found
  if (path.kind === 'undeclared' && /^(?:gte?|lte?)$/.test(name)) {
    const detail = `${quoted(path.name)} is compared as text, which ${name} cannot do. Declare it in "properties" of ${quoted(path.field)}.`
    throw queryInvalid(detail, pointer)
  }
  const detail = `${quoted(name)} is not an operator for ${quoted(path.name)} (${typeNames[path.kind]}).`
  throw queryInvalid(`${detail} ${suggestionFor(name, possible)}`, pointer)
}

const typeNames: Readonly<Record<FieldPath['kind'], string>> = {
  text: 'text',
  integer: 'an integer',
  number: 'a number',
  boolean: 'a boolean',
  instant: 'a date-time',
  date: 'a date',
  uuid: 'a UUID',
  decimal: 'a decimal',
  int64: 'an int64',
  object: 'an object',
  array: 'an array',
  undeclared: 'a member that is not declared',
}
