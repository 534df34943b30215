import { canonicalDecimal, canonicalInt64, canonicalUuid, type FieldValue } from '../declaration/canonical.ts'
import { bounds } from '../declaration/declaration.ts'
import { isDay, parseInstant } from '../declaration/instant.ts'
import type { OperandType } from './paths.ts'

/** An operand of a condition: what a value is compared with. */
export type Operand = Exclude<FieldValue, null>

/** Reads the text of an operand, as an address or a cursor has it; null: it is not a value of the type. Never throws. */
export function operandOfText(type: OperandType, text: string): Operand | null {
  switch (type.kind) {
    case 'integer':
      return /^-?(?:0|[1-9]\d{0,15})$/.test(text) ? wholeNumber(Number(text)) : null
    case 'number':
      return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? finiteNumber(Number(text)) : null
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null
    default:
      return operandOfString(type, text)
  }
}

/** Reads an operand in JSON; null: it is not a value of the type. Never throws. */
export function operandOfJson(type: OperandType, value: unknown): Operand | null {
  switch (type.kind) {
    case 'integer':
      return typeof value === 'number' ? wholeNumber(value) : null
    case 'number':
      return typeof value === 'number' ? finiteNumber(value) : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'undeclared':
      if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value === 0 ? 0 : value)
      return typeof value === 'string' ? storableText(value) : null
    default:
      return typeof value === 'string' ? operandOfString(type, value) : null
  }
}

function operandOfString({ kind, scale = 0 }: OperandType, text: string): Operand | null {
  switch (kind) {
    case 'text':
    case 'undeclared':
      return storableText(text)
    case 'instant':
      return instantOf(text)
    case 'date':
      return isDay(text) ? text : null
    case 'uuid':
      return canonicalUuid(text)
    case 'decimal':
      return canonicalDecimal(text, scale)
    case 'int64':
      return canonicalInt64(text)
    default:
      return null
  }
}

/** What a type accepts, in words. */
export function operandWords({ kind, scale = 0 }: OperandType): string {
  switch (kind) {
    case 'integer':
      return 'a whole number from -(2^53 - 1) to 2^53 - 1'
    case 'number':
      return 'a number such as 1.5'
    case 'boolean':
      return 'true or false'
    case 'instant':
      return 'a date and time such as 2026-01-31T12:00:00Z (RFC 3339 with an offset), or a date'
    case 'date':
      return 'a date such as 2026-01-31'
    case 'uuid':
      return 'a UUID'
    case 'decimal':
      return `at most ${bounds.decimalDigits} digits, at most ${scale} of them behind the point, such as ${(12.5).toFixed(scale)}`
    case 'int64':
      return 'a whole number of 64 bits, as text'
    case 'undeclared':
      return 'text, true, false or a whole number'
    default:
      return 'text without U+0000'
  }
}

function wholeNumber(value: number): number | null {
  // JSON has no -0.
  return Number.isSafeInteger(value) ? value + 0 : null
}

function finiteNumber(value: number): number | null {
  return Number.isFinite(value) ? value + 0 : null
}

/** PostgreSQL has no U+0000, and half of a surrogate pair has no UTF-8: nothing that is stored has them. */
function storableText(text: string): string | null {
  return text.includes('\0') || !text.isWellFormed() ? null : text
}

/** A bare date is its midnight; hardly anyone encodes the "+" of an offset, which arrives as a blank. */
function instantOf(text: string): Date | null {
  if (text.length === 10) return parseInstant(`${text}T00:00:00Z`)
  return parseInstant(text.replace(/ (?=\d\d:\d\d$)/, '+'))
}
