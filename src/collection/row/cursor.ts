import { HoldfastError } from '../../errors.ts'

/** First byte of a cursor: what its other bytes mean may change one day. */
const generation = 1

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The id in its stored form, lower case; null when the text is no id. */
export function parseId(text: string): string | null {
  if (text.length !== 36) return null
  const lower = text.toLowerCase()
  return idPattern.test(lower) ? lower : null
}

/** The cursor of the page that begins after the row `id`. */
export function encodeCursor(id: string): string {
  return Buffer.from(`0${generation}${id.replaceAll('-', '')}`, 'hex').toString('base64url')
}

/** The id after which the page begins. Throws CURSOR_INVALID for anything that `encodeCursor` did not give. */
export function decodeCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  const isOurs = bytes.length === 17 && bytes[0] === generation && bytes.toString('base64url') === cursor
  if (!isOurs) throw new HoldfastError('CURSOR_INVALID')
  const hex = bytes.toString('hex', 1)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
