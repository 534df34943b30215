import type { Row } from '../../driver/facet/statements.ts'
import type { Serializer } from './serializer.ts'

/** A page ends before the row that would make it larger than this. Its first row is included whatever its size. */
const maxPageBytes = 1024 * 1024

/** No UTF-16 unit of a string takes more bytes than this in UTF-8. */
const bytesPerUnit = 3

/** The text of a page while its rows are added. */
export class PageText {
  #items = ''
  #count = 0
  #bytes = 0

  /** How many rows it has. */
  get count(): number {
    return this.#count
  }

  /** Adds the JSON of a row; false if the page would become too large. */
  add(text: string): boolean {
    // Counts bytes only where they could matter: most pages are far from the limit.
    if (this.#bytes > 0 || (this.#items.length + text.length) * bytesPerUnit > maxPageBytes) {
      if (this.#bytes === 0) this.#bytes = Buffer.byteLength(this.#items)
      this.#bytes += Buffer.byteLength(text) + 1
      if (this.#bytes > maxPageBytes && this.#count > 0) return false
    }
    this.#items += this.#count === 0 ? text : `,${text}`
    this.#count += 1
    return true
  }

  /** The JSON of the page; `next`: the cursor of the next one. `more`: further members. */
  end(next: string | null, isPartial: boolean, more: string = ''): string {
    const cursor = next === null ? 'null' : `"${next}"`
    return `{"items":[${this.#items}],"next":${cursor}${more}${isPartial ? ',"partial":true' : ''}}`
  }
}

/** A page as it is answered, and the cursor of the next one. */
export interface AnsweredPage {
  /** JSON. */
  readonly text: string
  readonly next: string | null
}

/** A page of at most `limit` of these rows. There is a next page if any row does not fit. `isPartial`: another store may have more rows. */
export function pageOf(
  serialize: Serializer,
  rows: readonly Row[],
  limit: number,
  isPartial: boolean,
  cursorOf: (row: Row) => string,
): AnsweredPage {
  const page = new PageText()
  for (const row of rows) if (page.count === limit || !page.add(serialize(row))) break
  const last = rows.length > page.count ? rows[page.count - 1] : undefined
  const next = last === undefined ? null : cursorOf(last)
  return { text: page.end(next, isPartial), next }
}
