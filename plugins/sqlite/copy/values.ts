import type { CopiedTable, ImageColumn } from '../../../src/driver/kit/driver-kit.ts'

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
export function valueFrom({ kind, scale = 0 }: Pick<ImageColumn, 'kind' | 'scale'>, text: string | null): BoundValue {
  if (text === null) return null
  switch (kind) {
    case 'text':
    case 'json':
      return text
    case 'decimal':
      return scaledOf(text, scale)
    case 'number':
      return doubleOf(text)
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

const decimal = /^(-?)(\d+)(?:\.(\d+))?$/

/** A decimal in the smallest units of its column. */
function scaledOf(text: string, scale: number): BoundValue {
  const [, sign = '', whole = '', fraction = ''] = decimal.exec(text) ?? []
  if (whole === '') return text
  const more = fraction.slice(scale)
  if (/[1-9]/.test(more)) throw new ValueError(`the number ${text} has more than ${scale} digits behind the point`)
  const value = BigInt(`${whole}${fraction.slice(0, scale).padEnd(scale, '0')}`)
  return integerOf(String(sign === '-' ? -value : value))
}

function isHeld(value: bigint): boolean {
  return value <= greatest && value >= -greatest - 1n
}

function doubleOf(text: string): BoundValue {
  const value = Number(text)
  // SQLite would make NULL of NaN.
  return Number.isNaN(value) || text === '' ? text : value
}
