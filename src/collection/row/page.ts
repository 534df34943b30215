import type { Row } from '../../driver/facet/statements.ts'
import { encodeCursor } from './cursor.ts'
import type { Serializer } from './serializer.ts'

/** A list gives so many rows when nothing is said, and never more than `max`. */
export const pageRows: { readonly default: number; readonly max: number } = { default: 20, max: 100 }

/** A page ends before the row that would make it larger than this. Its first row comes whatever its size. */
const maxPageBytes = 1024 * 1024

/** No character of a string is more bytes than this in UTF-8. */
const bytesPerUnit = 3

/** The text of a page of at most `limit` of these rows. There is a next page when any of the rows is not on it. */
export function pageText(serialize: Serializer, rows: readonly Row[], limit: number): string {
  let items = ''
  let count = 0
  let bytes = 0
  for (const row of rows) {
    if (count === limit) break
    const text = serialize(row)
    // Bytes are only counted where they could matter: most pages are far from it.
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
  return `{"items":[${items}],"next":${next}}`
}
