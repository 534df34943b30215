import { filterLimits, type Operator } from '../../collection/filter/filter.ts'
import type { AskedPath } from './asked-paths.ts'
import type { Parameter, Schema } from './document.ts'

/** What a condition is true for, after the name of its path. */
const meanings: Readonly<Record<Operator, string>> = {
  eq: 'is this',
  ne: 'is not this, or has no value',
  gt: 'is greater than this',
  gte: 'is this or greater',
  lt: 'is less than this',
  lte: 'is this or less',
  in: 'is one of these',
  nin: 'is none of these, or has no value',
  null: 'has no value (`true`), or has one (`false`)',
  contains: 'contains this text',
  startsWith: 'starts with this text',
  endsWith: 'ends with this text',
  icontains: 'contains this text, whatever the case of ASCII letters',
  has: 'contains each of these items',
}

/** Names that are parameters of their own, so that a field of such a name is addressed with its operator. */
const reserved: ReadonlySet<string> = new Set([
  ...['limit', 'cursor', 'page', 'sort', 'fields', 'expand', 'count', 'where', 'format'],
  ...['group', 'select', 'max'],
])

/** A parameter for each operator of each path, by the name of its component. */
export function filterParameters(collection: string, paths: readonly AskedPath[]): ReadonlyMap<string, Parameter> {
  const found = new Map<string, Parameter>()
  for (const { name, operators, operand } of paths) {
    for (const operator of operators) {
      const isBare = operator === 'eq' && !reserved.has(name)
      // Members have no empty names, so that no path of another field reads the same.
      found.set(`${collection}.${name}..${operator}`, {
        name: isBare ? name : `${name}:${operator}`,
        in: 'query',
        description: `\`${name}\` ${meanings[operator]}.`,
        schema: operandSchema(operator, operand),
      })
    }
  }
  return found
}

/** What follows the `=`; lists repeat the name, which is what clients do by default. */
function operandSchema(operator: Operator, operand: Schema): Schema {
  switch (operator) {
    case 'in':
    case 'nin':
    case 'has':
      return { type: 'array', items: operand, minItems: 1, maxItems: filterLimits.listValues }
    case 'null':
      return { type: 'boolean' }
    case 'contains':
    case 'startsWith':
    case 'endsWith':
    case 'icontains':
      return { type: 'string', maxLength: filterLimits.textLength }
    default:
      return operand
  }
}

/** The JSON form of filters: `where`. `own` is where this schema itself is found. */
export function filterSchema(paths: readonly AskedPath[], isOpen: boolean, own: string): Schema {
  const inner = { $ref: own }
  const logic: Readonly<Record<string, Schema>> = {
    AND: { type: 'array', items: inner, description: 'Each of these.' },
    OR: { type: 'array', items: inner, description: 'At least one of these.' },
  }
  const conditions = paths.map((path) => [path.name, conditionSchema(path)])
  return {
    type: 'object',
    description: 'Conditions, joined by AND. A path has a value, null (no value), or an object of operators.',
    properties: { ...logic, NOT: inner, ...Object.fromEntries(conditions) },
    additionalProperties: isOpen,
  }
}

function conditionSchema({ operators, operand }: AskedPath): Schema {
  const compared = operators.map((operator) => [operator, operandSchema(operator, operand)])
  const object: Schema = { type: 'object', properties: Object.fromEntries(compared), additionalProperties: false }
  if (!operators.includes('eq')) return { anyOf: [object, { type: 'null' }] }
  return { anyOf: [operand, { type: 'null' }, object] }
}
