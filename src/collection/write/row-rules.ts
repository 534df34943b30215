import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { Granted } from '../access/granted.ts'
import { type Collection, kindOfField } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { isMatch } from '../filter/evaluator.ts'
import type { RowTable } from '../row/row-table.ts'
import type { Serializer } from '../row/serializer.ts'

/** A row that was read, as JSON: with the fields that no one is answered with, too. */
export type RowJson = Readonly<Record<string, unknown>>

/** A row that was read or encoded, as JSON. */
export function rowJsonOf(rows: RowTable, row: Row, isOwn: boolean = false): RowJson {
  return JSON.parse(rows.serialize(row, isOwn)) as RowJson // An object, as the serializer writes it.
}

/** Writes rows with the fields that the caller sees. */
export function serializerFor(rows: RowTable, granted: Granted | undefined): Serializer {
  return granted === undefined || granted.fields.isWhole ? rows.serialize : rows.serializerOf(granted.fields.answered)
}

/** Whether the caller may see the row: the rule holds for it before the change. */
export function isShown({ rule }: Partial<Granted>, collection: Collection, row: RowJson): boolean {
  return rule === undefined || rule === null || isMatch(rule, valuesOf(collection, row))
}

/** Throws RULE_REFUSED where the rule does not hold for what a change leaves, or a new row is. */
export function checkAfter(granted: Granted | undefined, values: ReadonlyMap<string, FieldValue>): void {
  const { rule = null } = granted ?? {}
  if (rule === null || isMatch(rule, values)) return
  throw new HoldfastError('RULE_REFUSED')
}

/** The values of a row as they are inside the service. */
export function valuesOf(collection: Collection, row: RowJson): Map<string, FieldValue> {
  return new Map(Object.keys(row).map((name) => [name, fieldValue(collection, row, name)]))
}

function fieldValue({ fields }: Collection, row: RowJson, name: string): FieldValue {
  const value = (Object.hasOwn(row, name) ? row[name] : null) as FieldValue // As the columns give it.
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined
  const isDate = field === undefined ? name === 'createdAt' || name === 'updatedAt' : kindOfField(field) === 'instant'
  return isDate && typeof value === 'string' ? new Date(value) : value
}
