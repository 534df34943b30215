import type { FieldValue } from '../declaration/canonical.ts'
import type { Condition, FieldPath, Filter } from './filter.ts'
import { type Operand, operandOfJson } from './operand.ts'
import type { OperandType } from './paths.ts'

/** The values of a row by name: the fields, and `id`, `createdAt`, `updatedAt`, `version` where a filter may name them. Absent is null. */
export type RowValues = ReadonlyMap<string, FieldValue>

/** Whether a filter is true for a row: exactly as the database decides it. */
export function isMatch(filter: Filter, row: RowValues): boolean {
  switch (filter.is) {
    case 'and':
      return filter.filters.every((inner) => isMatch(inner, row))
    case 'or':
      return filter.filters.some((inner) => isMatch(inner, row))
    case 'not':
      return !isMatch(filter.filter, row)
    case 'condition':
      return isTrue(filter, row)
  }
}

function isTrue({ path, operator, operands }: Condition, row: RowValues): boolean {
  const [operand] = operands
  if (operand === undefined) return operator === 'nin'
  const found = jsonAt(path, row.get(path.field) ?? null)
  if (operator === 'null') return (found === null) === operand
  if (operator === 'has') return hasItems(path, found, operands)
  const value = path.members.length === 0 ? found : memberValue(path, found)
  switch (operator) {
    case 'eq':
      return isEqual(path, value, operand)
    case 'ne':
      return !isEqual(path, value, operand)
    case 'in':
      return operands.some((one) => isEqual(path, value, one))
    case 'nin':
      return !operands.some((one) => isEqual(path, value, one))
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return value !== null && isInRange(operator, compareValues(path, value, operand))
    default:
      return typeof value === 'string' && typeof operand === 'string' && isTextMatch(operator, value, operand)
  }
}

function isInRange(operator: 'gt' | 'gte' | 'lt' | 'lte', order: number): boolean {
  if (operator === 'gt') return order > 0
  if (operator === 'gte') return order >= 0
  return operator === 'lt' ? order < 0 : order <= 0
}

function isTextMatch(operator: Condition['operator'], text: string, part: string): boolean {
  switch (operator) {
    case 'contains':
      return text.includes(part)
    case 'startsWith':
      return text.startsWith(part)
    case 'endsWith':
      return text.endsWith(part)
    case 'icontains':
      return asciiLower(text).includes(asciiLower(part))
    default:
      return false
  }
}

/** Databases agree on the case of ASCII letters alone. */
function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** What is stored at the path; null: nothing, or JSON's null. */
function jsonAt({ members }: FieldPath, value: FieldValue): FieldValue {
  let at: unknown = value
  for (const member of members) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, member)) return null
    at = Reflect.get(at, member)
  }
  return (at ?? null) as FieldValue // A part of JSON.
}

/** The value of a member as its kind; null where it has another type or form. */
function memberValue(type: OperandType, found: FieldValue): FieldValue {
  if (type.kind === 'object' || type.kind === 'array') return found
  const value = operandOfJson(type, found)
  if (type.kind === 'undeclared' || value === null) return value
  return (value instanceof Date ? value.toISOString() : value) === found ? value : null
}

function hasItems({ items }: FieldPath, found: FieldValue, operands: readonly Operand[]): boolean {
  if (items === undefined || !Array.isArray(found)) return false
  const values = found.map((item: FieldValue) => memberValue(items, item))
  return operands.every((operand) => values.some((value) => isEqual(items, value, operand)))
}

function isEqual(type: OperandType, value: FieldValue, operand: Operand): boolean {
  return value !== null && compareValues(type, value, operand) === 0
}

/** Negative, zero or positive: how two values of one kind are sorted. Null is the smallest. */
export function compareValues({ kind }: OperandType, one: FieldValue, other: FieldValue): number {
  if (one === null || other === null) return Number(one !== null) - Number(other !== null)
  if (typeof one === 'string' && typeof other === 'string') {
    if (kind === 'int64' || kind === 'decimal') return compareNumbers(scaledInteger(one), scaledInteger(other))
    return compareText(one, other)
  }
  return compareNumbers(Number(one), Number(other))
}

/** Of an int64, or a decimal, whose values all have the same number of digits behind the point. */
function scaledInteger(text: string): bigint {
  return BigInt(text.replace('.', ''))
}

function compareNumbers<T extends number | bigint>(one: T, other: T): number {
  return one < other ? -1 : Number(one > other)
}

/** The order of the bytes in UTF-8, which is the order of code points; that of JavaScript differs beyond U+FFFF. */
function compareText(one: string, other: string): number {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const a = one.charCodeAt(at)
    const b = other.charCodeAt(at)
    if (a !== b) return rankOfUnit(a) - rankOfUnit(b)
  }
  return one.length - other.length
}

/** Surrogates stand for code points above all others. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
