import type { ServerResponse } from 'node:http'
import type { AskedTable } from '../../collection/ask/asked-table.ts'
import type { ListPart, Lists } from '../../collection/ask/lists.ts'
import type { FieldValue } from '../../collection/declaration/validator.ts'
import type { ListQuery } from '../../collection/query/list-query.ts'
import type { ListFormat } from '../../collection/query/list-request.ts'
import type { RowRequest } from '../../collection/row/table-access.ts'
import type { Outcome } from '../../database/work/session.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { writePart } from '../server/backpressure.ts'
import { csvText, csvValue } from './csv.ts'

/** Rows of one part: at first, and at most. */
const firstRows = 100
const mostRows = 500

/** About how much text a part has. */
const partBytes = 512 * 1024

/** A format without pages. */
export type StreamFormat = Exclude<ListFormat, 'json'>

/** All rows of a list, part by part: no more than one part of them is in memory. */
export class ListStream {
  readonly #lists: Lists
  readonly #query: ListQuery
  readonly #request: RowRequest
  readonly #format: StreamFormat

  constructor(lists: Lists, query: ListQuery, format: StreamFormat, request: RowRequest) {
    this.#lists = lists
    this.#query = query
    this.#format = format
    this.#request = request
  }

  /**
   * Writes the rows; `start` writes the head, when the first part was read. Rejects with the errors of lists, and with STORE_LOST
   * when another database serves before the end: its rows would be those of another time.
   */
  async write(res: ServerResponse, start: (first: Outcome<unknown>) => void): Promise<void> {
    let left = this.#query.limit ?? Number.POSITIVE_INFINITY
    let after = this.#query.place?.after ?? null
    let rows = firstRows
    let first: Outcome<ListPart<string>> | null = null
    while (left > 0 && !res.destroyed) {
      const part = await this.#part(after, Math.min(rows, left))
      if (first !== null && (part.store !== first.store || part.driver !== first.driver)) {
        throw new HoldfastError('STORE_LOST', { detail: 'Another database serves now.' })
      }
      const { items, next, columns } = part.value
      const isFirst = first === null
      if (first === null) start(part)
      first ??= part
      // Nothing of what follows would be sent.
      if (res.req.method === 'HEAD') break
      const head = isFirst && this.#format === 'csv' ? csvText([columns]) : ''
      const text = head + items.join('')
      const bytes = Buffer.byteLength(text)
      if (bytes > 0) await writePart(res, text, bytes)
      left -= items.length
      if (next === null) break
      after = next
      rows = nextRows(items.length, bytes)
    }
    res.end()
  }

  #part(after: readonly FieldValue[] | null, rows: number): Promise<Outcome<ListPart<string>>> {
    const format = this.#format === 'csv' ? this.#record : line
    return this.#lists.part(this.#query, { after, rows }, format, this.#request)
  }

  readonly #record = (asked: AskedTable, row: Row, _text: () => string, columns: readonly string[]): string =>
    csvText([columns.map((name) => csvValue(asked.kindOf(name), asked.textOf(name, row[name])))])
}

function line(_asked: AskedTable, _row: Row, text: () => string): string {
  return `${text()}\n`
}

/** As many as make a part of the usual size. */
function nextRows(count: number, bytes: number): number {
  if (count === 0) return mostRows
  return Math.max(1, Math.min(mostRows, Math.floor((partBytes * count) / bytes)))
}
