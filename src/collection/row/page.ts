import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { Serializer } from './serializer.ts'

/** The number of rows of a list: by default, and at most. */
export const pageRows: { readonly default: number; readonly max: number } = { default: 20, max: 100 }

/** A page ends before the row that would make it larger than this. Its first row is included whatever its size. */
const maxPageBytes = 1024 * 1024

/** No UTF-16 unit of a string takes more bytes than this in UTF-8. */
const bytesPerUnit = 3

/** The first byte of a cursor: the meaning of the others may change one day. */
const cursorGeneration = 1

/** The JSON of a page of at most `limit` of these rows. There is a next page if any row does not fit. `isPartial`: another store may have more rows. */
export function pageText(serialize: Serializer, rows: readonly Row[], limit: number, isPartial: boolean): string {
  let items = ''
  let count = 0
  let bytes = 0
  for (const row of rows) {
    if (count === limit) break
    const text = serialize(row)
    // Counts bytes only where they could matter: most pages are far from the limit.
    if (bytes > 0 || (items.length + text.length) * bytesPerUnit > maxPageBytes) {
      if (bytes === 0) bytes = Buffer.byteLength(items)
      bytes += Buffer.byteLength(text) + 1
      if (bytes > maxPageBytes && count > 0) break
    }
    items += count === 0 ? text : `,${text}`
    count += 1
  }
  const last = rows.length > count ? rows[count - 1] : undefined
  const next = last === undefined ? 'null' : `"${encodeCursor(String(last.id))}"`
  return `{"items":[${items}],"next":${next}${isPartial ? ',"partial":true' : ''}}`
}

/** The cursor of the page that starts after the row `id`. */
export function encodeCursor(id: string): string {
  return Buffer.from(`0${cursorGeneration}${id.replaceAll('-', '')}`, 'hex').toString('base64url')
}

/** The id after which the page starts. Throws CURSOR_INVALID for anything that `encodeCursor` did not return. */
export function decodeCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  const isOurs = bytes.length === 17 && bytes[0] === cursorGeneration && bytes.toString('base64url') === cursor
  if (!isOurs) throw new HoldfastError('CURSOR_INVALID')
  const hex = bytes.toString('hex', 1)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
