import { type FieldError, HoldfastError } from '../../errors.ts'
import type { Granted } from '../access/granted.ts'
import { type Field, kindOfField } from '../declaration/declaration.ts'
import { isJsonObject } from '../declaration/json-limits.ts'
import type { BodyRules, FieldValue } from '../declaration/validator.ts'
import { operandOfJson, operandWords } from '../filter/operand.ts'
import type { OperandType } from '../filter/paths.ts'
import type { ChangeRow } from './operation.ts'
import { rowInvalid } from './row-body.ts'
import type { WrittenTable } from './written-table.ts'

/** How a body changes a row: `set`, field by field; `merge`, to the depth of its objects (RFC 7396). */
export type ChangeMode = 'set' | 'merge'

/** What is added to the fields that it names. */
const incrementKey = '$inc'

/** Reads a change. What does not depend on the row is checked at once. Throws ROW_INVALID. */
export function readChange(
  table: WrittenTable,
  body: unknown,
  mode: ChangeMode,
  granted: Granted | undefined,
): ChangeRow['changes'] {
  const { fields } = table.collection
  if (!isJsonObject(body)) throw rowInvalid([{ pointer: '', message: 'A change must be one JSON object.' }])
  const { [incrementKey]: added, ...given } = body
  const isMerged = (name: string): boolean =>
    mode === 'merge' && Object.hasOwn(fields, name) && fields[name]?.type === 'object' && isJsonObject(given[name])
  const merged = Object.keys(given).filter(isMerged)
  const direct = Object.fromEntries(Object.entries(given).filter(([name]) => !isMerged(name)))
  const rules = { fields: granted?.fields }
  const fixed = named(table, direct, rules)
  const increments = added === undefined ? [] : readIncrements(table, added, given, granted)
  if (merged.length === 0 && increments.length === 0) return () => fixed
  return (row) => {
    const after = Object.fromEntries(merged.map((name) => [name, mergePatch(row[name], given[name])]))
    const sums = increments.map((one) => [one.name, sumOf(one, row[one.name])] as const)
    const changed = named(table, after, rules)
    return new Map([...fixed, ...changed, ...checkedSums(table, sums)])
  }
}

function named({ validator, fields }: WrittenTable, body: unknown, rules: BodyRules): ReadonlyMap<string, FieldValue> {
  return new Map([...validator.change(body, rules)].map(([at, value]) => [fields[at] ?? '', value]))
}

/** RFC 7396: null removes a member, objects are merged, all else replaces. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch
  const merged: Map<string, unknown> = new Map(isJsonObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, mergePatch(merged.get(name), value))
  }
  // Not by assignment: a member may be called `__proto__`.
  return Object.fromEntries(merged)
}

interface Increment {
  readonly name: string
  readonly type: OperandType
  /** In units of the last digit. */
  readonly by: bigint
}

function readIncrements(
  { collection }: WrittenTable,
  added: unknown,
  others: Readonly<Record<string, unknown>>,
  granted: Granted | undefined,
): readonly Increment[] {
  if (!isJsonObject(added)) {
    throw rowInvalid([{ pointer: `/${incrementKey}`, message: 'This accepts an object of numbers by field.' }])
  }
  const increments: Increment[] = []
  const errors: FieldError[] = []
  for (const [name, value] of Object.entries(added)) {
    const field = Object.hasOwn(collection.fields, name) ? collection.fields[name] : undefined
    const type = field === undefined || granted?.fields.written.has(name) === false ? null : countedType(field)
    const by = type === null ? null : operandOfJson(type, value)
    if (type === null)
      errors.push({
        pointer: pointerOf(name),
        message: 'Only an integer, an int64 or a decimal that is answered can be incremented.',
      })
    else if (by === null) errors.push({ pointer: pointerOf(name), message: `This accepts ${operandWords(type)}.` })
    else if (Object.hasOwn(others, name))
      errors.push({ pointer: pointerOf(name), message: 'The body also sets this field. Send one of the two.' })
    else increments.push({ name, type, by: unitsOf(String(by)) })
  }
  if (errors.length > 0) throw rowInvalid(errors)
  return increments
}

function pointerOf(name: string): string {
  return `/${incrementKey}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function countedType(field: Field): OperandType | null {
  // The bounds that a sum has to keep would tell what no one may read.
  if (field.writeOnly === true) return null
  const kind = kindOfField(field)
  if (kind !== 'integer' && kind !== 'int64' && kind !== 'decimal') return null
  return kind === 'decimal' && field.type === 'string' ? { kind, scale: field.scale ?? 0 } : { kind }
}

/** The digits of a canonical number, without its point. */
function unitsOf(text: string): bigint {
  return BigInt(text.replace('.', ''))
}

function sumOf({ name, type, by }: Increment, before: unknown): unknown {
  if (before === null || before === undefined) {
    throw rowInvalid([{ pointer: pointerOf(name), message: 'The field has no value to add to. Set it first.' }])
  }
  const sum = unitsOf(String(before)) + by
  const { kind, scale = 0 } = type
  if (kind === 'integer') return Number(sum)
  if (scale === 0) return String(sum)
  const digits = String(sum < 0n ? -sum : sum).padStart(scale + 1, '0')
  return `${sum < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** Sums keep to the bounds of their fields. */
function checkedSums(
  table: WrittenTable,
  sums: readonly (readonly [string, unknown])[],
): ReadonlyMap<string, FieldValue> {
  try {
    return named(table, Object.fromEntries(sums), {})
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.errors === undefined) throw error
    throw rowInvalid(error.errors.map((one) => ({ ...one, pointer: `/${incrementKey}${one.pointer}` })))
  }
}
