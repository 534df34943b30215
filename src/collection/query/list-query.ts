import type { FieldValue } from '../declaration/canonical.ts'
import type { Filter } from '../filter/filter.ts'

/** One key of a sort. Null is the smallest value; text sorts by its bytes. */
export interface SortKey {
  readonly field: string
  readonly isDescending: boolean
}

/** Where a page starts: behind the row that has these values. */
export interface PagePlace {
  /** Of each sort key, in their order; the last is the id. */
  readonly after: readonly FieldValue[]
}

/** A reference field to expand, and those of the row that it leads to. */
export interface Expansion {
  readonly field: string
  readonly inner: readonly Expansion[]
}

/** What a client asks of a list. Read and checked: every name is visible to the caller. */
export interface ListQuery {
  /** Of the client; null: all rows. */
  readonly filter: Filter | null
  /** Ends with `id`, in the direction of the key before it; by default the newest first. */
  readonly sort: readonly SortKey[]
  /** Null: as many as there are, for formats that are streamed. */
  readonly limit: number | null
  /** Null: from the first row. */
  readonly place: PagePlace | null
  /** Rows to skip (`page`). */
  readonly skipped: number
  /** What a row is answered with, in this order; null: all that the caller sees. */
  readonly fields: readonly string[] | null
  readonly expand: readonly Expansion[]
  readonly count: 'none' | 'bounded' | 'exact'
}

/** The first page, newest first, as it is asked for without any parameter but a limit and a cursor. */
export function isPlain({ filter, sort, limit, skipped, fields, expand, count }: ListQuery): boolean {
  const isNewestFirst = sort.length === 1 && sort[0]?.field === 'id' && sort[0].isDescending
  const isWhole = filter === null && limit !== null && skipped === 0 && fields === null
  return isNewestFirst && isWhole && expand.length === 0 && count === 'none'
}

/** Limits of lists. */
export const listLimits: {
  readonly rows: number
  readonly defaultRows: number
  readonly sortKeys: number
  readonly expansions: number
  readonly expansionDepth: number
  readonly pagedRows: number
  readonly counted: number
  readonly examined: number
  readonly unindexedSortRows: number
} = {
  rows: 1_000,
  defaultRows: 20,
  sortKeys: 4,
  expansions: 5,
  expansionDepth: 2,
  /** The last row that `page` reaches. */
  pagedRows: 10_000,
  /** The most that `count=true` gives. */
  counted: 10_000,
  /** Rows that a page looks at for conditions that no index serves. */
  examined: 20_000,
  /** With at most so many rows (`maxRows`), a sort needs no index. */
  unindexedSortRows: 10_000,
}
