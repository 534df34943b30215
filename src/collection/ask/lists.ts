import { incompleteError } from '../../database/work/failure.ts'
import type { Outcome, Session } from '../../database/work/session.ts'
import type { Row } from '../../driver/facet/statements.ts'
import type { Granted } from '../access/granted.ts'
import { allOf } from '../filter/conjunction.ts'
import { cursorCodec } from '../query/cursor.ts'
import { isPlain, type ListQuery, listLimits } from '../query/list-query.ts'
import { planList, type ReadPlan } from '../query/read-plan.ts'
import { type AnsweredPage, PageText } from '../row/page.ts'
import type { TableView } from '../row/row-table.ts'
import type { Rows } from '../row/rows.ts'
import { type RowRequest, readingWork, type TableAccess } from '../row/table-access.ts'
import type { SortColumn } from '../table/page-source.ts'
import { type AskedTable, askedTableOf } from './asked-table.ts'
import { RowWalk } from './row-walk.ts'

/** Rows of a page that are read at once: a page of long rows ends before all of them are in memory. */
const chunkRows = 200

/** A list on its way: who asks what, of which table. */
export interface Asking {
  readonly session: Session
  readonly asked: AskedTable
  readonly view: TableView
  readonly sort: readonly SortColumn[]
  readonly plan: ReadPlan
  readonly isPartial: boolean
}

/**
 * Lists of one collection: filtered, sorted, page by page. Rejects with the errors of `RunWork`, with QUERY_UNINDEXED, and with
 * INCOMPLETE where a part of the rows would be a wrong answer.
 */
export class Lists {
  readonly #rows: Rows
  readonly #access: TableAccess

  constructor(rows: Rows) {
    this.#rows = rows
    this.#access = rows.access
  }

  /** The plan of a query. Throws QUERY_UNINDEXED. */
  plan(query: ListQuery, granted: Granted | undefined): ReadPlan {
    return planList(this.#access.collection, query.sort, query.filter, granted?.rule ?? null)
  }

  /** A page as it is answered. */
  page(query: ListQuery, request: RowRequest = {}): Promise<Outcome<AnsweredPage>> {
    const { granted, age } = request
    const isOfAll = granted === undefined || (granted.rule === null && granted.fields.isWhole)
    if (isOfAll && isPlain(query) && query.limit !== null && query.limit <= chunkRows) {
      return this.#rows.list(query.limit, idAfter(query), request)
    }
    const plan = this.plan(query, granted)
    return this.#access.deps.run(async (session) => {
      const asking = this.ask(session, query, plan, age)
      if (asking.isPartial && query.count !== 'none') throw incompleteError('Only the primary can count the rows.')
      const { page, last } = await this.#read(asking, query, granted)
      const next = last === null ? null : cursorCodec(this.#access.collection, query.sort).encode({ after: last })
      const more = query.count === 'none' ? '' : await this.#count(asking, query.count)
      return { text: page.end(next, asking.isPartial, more), next }
    }, readingWork)
  }

  /** How a unit of work asks the table for a list. */
  ask(session: Session, query: ListQuery, plan: ReadPlan, age: RowRequest['age']): Asking {
    const table = this.#access.table(session, 'list')
    const view = this.#access.copies.view(session, table, age)
    const asked = askedTableOf(this.#access.collection, session.store, table, view)
    const isPartial = this.#access.isPartial(session, view)
    return { session, asked, view, sort: asked.sortColumns(query.sort), plan, isPartial }
  }

  async #read(
    { session, asked, sort, plan }: Asking,
    query: ListQuery,
    granted: Granted | undefined,
  ): Promise<{ readonly page: PageText; readonly last: ReturnType<AskedTable['placeOf']> | null }> {
    const names = query.fields ?? granted?.fields.answered ?? asked.table.columns.slice(0, -1).map(({ name }) => name)
    const serialize = asked.table.serializerOf(names)
    const limit = query.limit ?? listLimits.rows
    const after = query.place?.after ?? null
    const walk = new RowWalk(session, asked, { sort, plan, columns: names, after, skipped: query.skipped })
    const page = new PageText()
    let last: Row | null = null
    for (;;) {
      const wanted = limit + 1 - page.count
      // What was looked at counts for one statement alone.
      const { rows, next } = await walk.read(plan.examined.length > 0 ? wanted : Math.min(wanted, chunkRows))
      for (const row of rows) {
        const isFull = page.count === limit || !page.add(serialize(row))
        if (isFull) return { page, last: last === null ? null : asked.placeOf(last, sort) }
        last = row
      }
      if (next === null || plan.examined.length > 0) return { page, last: next }
    }
  }

  async #count({ session, asked, sort, plan }: Asking, count: 'bounded' | 'exact'): Promise<string> {
    if (count === 'exact') {
      const filter = asked.shape(allOf([...plan.served, ...plan.examined]))
      const [row] = await asked.read(session, asked.queries.countAll(filter), { filter })
      return `,"count":${Number(row?.rows ?? 0)}`
    }
    const walk = new RowWalk(session, asked, { sort, plan, columns: [], after: null })
    const found = await walk.count(listLimits.counted)
    return `,"count":${found.count}${found.isMore ? ',"countIsMore":true' : ''}`
  }
}

/** The id that a list of all rows continues after. */
function idAfter({ place }: ListQuery): string | null {
  const id = place?.after[0]
  return typeof id === 'string' ? id : null
}
