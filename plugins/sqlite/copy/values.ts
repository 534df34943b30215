import { type CopiedTable, type ImageKind, scaledInteger } from '../../../src/driver/kit/driver-kit.ts'

/** A value as the client binds it. */
export type BoundValue = string | number | bigint | null

/** A value that no column of SQLite holds exactly. */
export class ValueError extends Error {}

const wholeNumber = /^(?:0|-?[1-9]\d*)$/
/** Every whole number of so many digits is a double. */
const exactDigits = 15
const greatest = 2n ** 63n - 1n

/**
 * The value that MikroORM stores for a text of an image, so that an image of the row is the same again. What is not of its
 * kind stays text. @throws ValueError
 */
export function valueFrom(kind: ImageKind, text: string | null): BoundValue {
  if (text === null) return null
  switch (kind) {
    case 'text':
    case 'json':
      return text
    case 'number':
      return doubleOf(text)
    case 'decimal':
      return integerOf(/^-?\d+(?:\.\d+)?$/.test(text) ? String(scaledInteger(text)) : text)
    case 'boolean':
    case 'integer':
    case 'instant':
      return integerOf(text)
  }
}

/** The key in `holdfast_copied`; null: it is not one of this order. */
export function markKeyOf(isNumeric: boolean, key: string): string | bigint | null {
  if (!isNumeric) return key
  if (!wholeNumber.test(key)) return null
  const value = BigInt(key)
  return isHeld(value) ? value : null
}

/** Whether the keys of a table sort as numbers. */
export function isNumeric({ keyOrder }: CopiedTable): boolean {
  return keyOrder === 'number'
}

function integerOf(text: string): BoundValue {
  if (!wholeNumber.test(text)) return text
  // These are exact as doubles, and integers again in a column of numbers; large ones cost twice the time.
  if (text.length <= exactDigits) return Number(text)
  const value = BigInt(text)
  if (!isHeld(value)) throw new ValueError(`the number ${text} does not fit`)
  return value
}

function isHeld(value: bigint): boolean {
  return value <= greatest && value >= -greatest - 1n
}

function doubleOf(text: string): BoundValue {
  const value = Number(text)
  // SQLite would make NULL of NaN.
  return Number.isNaN(value) || text === '' ? text : value
}
