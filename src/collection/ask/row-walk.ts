import type { Session } from '../../database/work/session.ts'
import type { ReadNote, Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { allOf } from '../filter/conjunction.ts'
import { listLimits } from '../query/list-query.ts'
import type { ReadPlan } from '../query/read-plan.ts'
import type { ShapedFilter } from '../table/condition-shape.ts'
import { type PageSource, type SortColumn, sourcesAfter } from '../table/page-source.ts'
import type { AskedTable } from './asked-table.ts'

function pageTooFar(): HoldfastError {
  const rows = listLimits.examined.toLocaleString('en')
  return new HoldfastError('QUERY_TOO_COMPLEX', {
    detail: `"page" is behind the ${rows} rows in which a page looks for conditions that no index serves. Follow "next" instead.`,
  })
}

/** Rows, and where others may follow: null, there are none. */
export interface WalkedRows {
  readonly rows: readonly Row[]
  readonly next: readonly FieldValue[] | null
}

/** What a walk reads. */
export interface WalkOptions {
  readonly sort: readonly SortColumn[]
  readonly plan: ReadPlan
  /** Columns that are read; those of the sort are read anyway. */
  readonly columns: readonly string[]
  /** Null: from the first row. */
  readonly after: readonly FieldValue[] | null
  /** Rows that match and are left out first. */
  readonly skipped?: number
  /** Of each read. */
  readonly note?: ReadNote
}

/**
 * Reads the rows that match, in their order. Conditions that no index serves are looked for in a limited number of rows: where
 * that is used up, the walk ends at a row that does not have to match, and others may follow.
 */
export class RowWalk {
  readonly #session: Session
  readonly #asked: AskedTable
  readonly #sort: readonly SortColumn[]
  readonly #columns: readonly string[]
  readonly #served: ShapedFilter | null
  readonly #all: ShapedFilter | null
  readonly #isExamined: boolean
  readonly #note: ReadNote | undefined
  #after: readonly FieldValue[] | null
  #skipped: number
  /** Rows that may still be looked at. */
  #left: number = listLimits.examined
  #isOver = false

  constructor(session: Session, asked: AskedTable, { sort, plan, columns, after, skipped = 0, note }: WalkOptions) {
    this.#session = session
    this.#asked = asked
    this.#sort = sort
    const others = sort.filter(({ field }) => !columns.includes(field)).map(({ field }) => field)
    this.#columns = others.length === 0 ? columns : [...columns, ...others]
    this.#isExamined = plan.examined.length > 0
    this.#served = asked.shape(allOf(plan.served))
    this.#all = this.#isExamined ? asked.shape(allOf([...plan.served, ...plan.examined])) : this.#served
    this.#after = after
    this.#skipped = skipped
    this.#note = note
  }

  /** Reads at most `limit` rows behind those that were read before. */
  async read(limit: number): Promise<WalkedRows> {
    const rows: Row[] = []
    if (this.#isOver) return { rows, next: null }
    this.#left = listLimits.examined
    const sources = sourcesAfter(this.#sort, this.#after, {
      comparesRows: this.#asked.dialect.comparesRows,
      splitsNulls: this.#isExamined,
    })
    for (const source of sources) {
      const until = this.#isExamined ? await this.#boundary(source) : null
      const found = await this.#rows(source, until, limit - rows.length)
      rows.push(...found)
      const last = rows.at(-1)
      if (rows.length === limit && last !== undefined) return this.#endAt(rows, this.#asked.placeOf(last, this.#sort))
      if (until !== null) {
        // Behind this place, nothing would know how many rows are still to be left out.
        if (this.#skipped > 0 && rows.length === 0) throw pageTooFar()
        return this.#endAt(rows, until)
      }
      if (source !== sources.at(-1)) await this.#passed(source, found.length)
    }
    this.#isOver = true
    return { rows, next: null }
  }

  /** How many rows match, up to `most` and in the rows that may be looked at; `isMore`: others may. From the first row on. */
  async count(most: number): Promise<{ readonly count: number; readonly isMore: boolean }> {
    let count = 0
    const { comparesRows } = this.#asked.dialect
    for (const source of sourcesAfter(this.#sort, null, { comparesRows, splitsNulls: this.#isExamined })) {
      const until = this.#isExamined ? await this.#boundary(source) : null
      count += await this.#count(source, this.#all, until, most + 1 - count)
      if (count > most) return { count: most, isMore: true }
      if (until !== null) return { count, isMore: true }
      if (this.#isExamined) this.#left -= await this.#count(source, this.#served, null, this.#left)
    }
    return { count, isMore: false }
  }

  #endAt(rows: readonly Row[], place: readonly FieldValue[]): WalkedRows {
    this.#after = place
    if (rows.length > 0) this.#skipped = 0
    return { rows, next: place }
  }

  /** The last row that may be looked at; null: the source has fewer. */
  async #boundary(source: PageSource): Promise<readonly FieldValue[] | null> {
    const query = this.#asked.queries.boundary({ filter: this.#served, sort: this.#sort, source, until: null })
    const bound = { filter: this.#served, after: this.#after, limit: 1, skip: Math.max(0, this.#left - 1) }
    const [row] = await this.#asked.read(this.#session, query, bound, this.#sort, this.#note)
    return row === undefined ? null : this.#asked.placeOf(row, this.#sort)
  }

  #rows(source: PageSource, until: readonly FieldValue[] | null, limit: number): Promise<readonly Row[]> {
    const shape = { filter: this.#all, sort: this.#sort, source, until: until?.map((value) => value !== null) ?? null }
    const skips = this.#skipped > 0
    const query = this.#asked.queries.rows(shape, this.#columns, skips)
    const bound = { filter: this.#all, after: this.#after, until, limit, ...(skips ? { skip: this.#skipped } : {}) }
    return this.#asked.read(this.#session, query, bound, this.#sort, this.#note)
  }

  /** A source was read to its end: what it had counts. */
  async #passed(source: PageSource, found: number): Promise<void> {
    if (this.#isExamined) this.#left -= await this.#count(source, this.#served, null, this.#left)
    if (this.#skipped > 0)
      this.#skipped = found > 0 ? 0 : this.#skipped - (await this.#count(source, this.#all, null, this.#skipped))
  }

  async #count(
    source: PageSource,
    filter: ShapedFilter | null,
    until: readonly FieldValue[] | null,
    limit: number,
  ): Promise<number> {
    const shape = { filter, sort: this.#sort, source, until: until?.map((value) => value !== null) ?? null }
    const bound = { filter, after: this.#after, until, limit }
    const [row] = await this.#asked.read(this.#session, this.#asked.queries.count(shape), bound, this.#sort, this.#note)
    return Number(row?.rows ?? 0)
  }
}
