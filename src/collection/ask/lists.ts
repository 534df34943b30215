import { incompleteError } from '../../database/work/failure.ts'
import type { Outcome, Session } from '../../database/work/session.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { adminCaller } from '../access/caller.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { allOf } from '../filter/conjunction.ts'
import { cursorCodec } from '../query/cursor.ts'
import { isPlain, type ListQuery, listLimits } from '../query/list-query.ts'
import { planList, type ReadPlan } from '../query/read-plan.ts'
import { type AnsweredPage, PageText } from '../row/page.ts'
import { fresh, matching, type ReadConditions, type RowResult, unconditional } from '../row/precondition.ts'
import type { TableView } from '../row/row-table.ts'
import type { Rows } from '../row/rows.ts'
import { type RowRequest, readingWork, type TableAccess } from '../row/table-access.ts'
import type { SortColumn } from '../table/page-source.ts'
import { type AskedTable, askedTableOf } from './asked-table.ts'
import { type Accesses, expandRows } from './expander.ts'
import { RowWalk } from './row-walk.ts'

/** Rows of a page that are read at once: a page of long rows ends before all of them are in memory. */
const chunkRows = 200

/** A part of a list that is not a page. */
export interface ListPart<T> {
  readonly items: readonly T[]
  /** Where the next part starts; null: there is none. */
  readonly next: readonly FieldValue[] | null
  /** What each row is answered with. */
  readonly columns: readonly string[]
}

/** A list on its way: who asks what, of which table. */
interface Asking {
  readonly session: Session
  readonly asked: AskedTable
  readonly view: TableView
  readonly sort: readonly SortColumn[]
  readonly isPartial: boolean
}

interface Planned extends Asking {
  readonly plan: ReadPlan
}

/**
 * Lists of one collection: filtered, sorted, page by page. Rejects with the errors of `RunWork`, with QUERY_UNINDEXED, and with
 * INCOMPLETE where a part of the rows would be a wrong answer.
 */
export class Lists {
  readonly #rows: Rows
  readonly #access: TableAccess
  readonly #accesses: Accesses

  /** `accesses`: the collections that `expand` leads to. */
  constructor(rows: Rows, accesses: Accesses) {
    this.#rows = rows
    this.#access = rows.access
    this.#accesses = accesses
  }

  /** A page as it is answered. */
  page(query: ListQuery, request: RowRequest = {}): Promise<Outcome<AnsweredPage>> {
    const { granted, age } = request
    const isOfAll = granted === undefined || (granted.rule === null && granted.fields.isWhole)
    if (isOfAll && isPlain(query) && query.limit !== null && query.limit <= chunkRows) {
      return this.#rows.list(query.limit, idAfter(query), request)
    }
    return this.#access.deps.run(async (session) => {
      const asking = this.#ask(session, query, age)
      const read = () => this.#readPage(asking, query, request)
      return query.expand.length > 0
        ? await read()
        : await asking.asked.table.keptPage(session, keyOf(asking, query, request), read)
    }, readingWork)
  }

  async #readPage(asking: Asking, query: ListQuery, request: RowRequest): Promise<AnsweredPage> {
    const planned = { ...asking, plan: this.#plan(asking, query, request) }
    const { page, last } = await this.#read(planned, query, request)
    const codec = cursorCodec(this.#access.collection, query.sort)
    // The last row that was looked at may be one that the rule hides.
    const isSealed = (request.granted?.rule ?? null) !== null && planned.plan.examined.length > 0
    const next = last === null ? null : codec[isSealed ? 'encodeSealed' : 'encode']({ after: last })
    const more = query.count === 'none' ? '' : await this.#count(planned, query.count)
    return { text: page.end(next, asking.isPartial, more), next }
  }

  /** Throws QUERY_UNINDEXED. */
  #plan({ asked }: Asking, { sort, filter }: ListQuery, { granted }: RowRequest): ReadPlan {
    return asked.fitted(planList(this.#access.collection, sort, filter, granted?.rule ?? null), sort)
  }

  /** Reads a row that the caller may see: one that a rule hides is missing. */
  get(id: string, request: RowRequest = {}, conditions: ReadConditions = unconditional): Promise<Outcome<RowResult>> {
    const { granted, age } = request
    const rule = granted?.rule ?? null
    if (rule === null) return this.#rows.get(id, request, conditions)
    const { match, hasVersion } = conditions
    return this.#access.deps.run(async (session) => {
      const table = this.#access.table(session, 'get')
      this.#access.refuseUnreplayed(session, id)
      const view = this.#access.copies.view(session, table, age)
      const asked = askedTableOf(this.#access, session, table, view)
      const filter = asked.shape(rule)
      const [found] = await asked.readOne(session, filter, id, hasVersion ? fresh : undefined)
      const row = found === undefined ? null : table.answered(found, granted?.fields)
      return matching(session, row, { table, view, id, match })
    }, readingWork)
  }

  #ask(session: Session, query: ListQuery, age: RowRequest['age']): Asking {
    const table = this.#access.table(session, 'list')
    const view = this.#access.copies.view(session, table, age)
    const asked = askedTableOf(this.#access, session, table, view)
    const isPartial = this.#access.isPartial(session, view)
    if (isPartial && (query.count !== 'none' || query.expand.length > 0)) throw incompleteError()
    return {
      session,
      asked,
      view,
      sort: asked.sortColumns(query.sort),
      isPartial,
    }
  }

  /** A part of a list of any length: at most `rows` rows behind a place, each as `format` makes it of the row and its JSON. */
  part<T>(
    query: ListQuery,
    { after, rows }: { readonly after: readonly FieldValue[] | null; readonly rows: number },
    format: (asked: AskedTable, row: Row, text: () => string, columns: readonly string[]) => T,
    request: RowRequest = {},
  ): Promise<Outcome<ListPart<T>>> {
    return this.#access.deps.run(async (session) => {
      const asking = this.#ask(session, query, request.age)
      if (asking.isPartial) throw incompleteError()
      const plan = this.#plan(asking, query, request)
      const walk = this.#walk({ ...asking, plan }, query, after, request)
      const { rows: found, next } = await walk.read(rows)
      const expanded = await this.#expanded(asking, query, found, request)
      const columns = namesOf(asking.asked, query, request)
      const serialize = asking.asked.table.serializerOf(columns)
      const items = found.map((row) => format(asking.asked, row, () => expanded(row, serialize(row)), columns))
      return { items, next, columns }
    }, readingWork)
  }

  #walk(
    { session, asked, sort, plan }: Planned,
    query: ListQuery,
    after: readonly FieldValue[] | null,
    request: RowRequest,
    skipped = 0,
  ): RowWalk {
    const names = namesOf(asked, query, request)
    const others = query.expand.map(({ field }) => field).filter((field) => !names.includes(field))
    const columns = others.length === 0 ? names : [...names, ...others]
    return new RowWalk(session, asked, { sort, plan, columns, after, skipped })
  }

  #expanded({ session, asked }: Asking, { expand }: ListQuery, rows: readonly Row[], request: RowRequest) {
    const caller = request.granted?.caller ?? adminCaller
    const from = { collection: this.#access.collection, asked }
    return expandRows(from, rows, expand, this.#accesses, { session, caller, age: request.age })
  }

  async #read(
    asking: Planned,
    query: ListQuery,
    request: RowRequest,
  ): Promise<{ readonly page: PageText; readonly last: readonly FieldValue[] | null }> {
    const { asked, sort, plan } = asking
    const serialize = asked.table.serializerOf(namesOf(asked, query, request))
    const limit = query.limit ?? listLimits.rows
    const walk = this.#walk(asking, query, query.place?.after ?? null, request, query.skipped)
    const page = new PageText()
    let last: Row | null = null
    for (;;) {
      const wanted = limit + 1 - page.count
      // What was looked at counts for one statement alone.
      const { rows, next } = await walk.read(plan.examined.length > 0 ? wanted : Math.min(wanted, chunkRows))
      const expanded = await this.#expanded(asking, query, rows, request)
      for (const row of rows) {
        const isFull = page.count === limit || !page.add(expanded(row, serialize(row)))
        if (isFull) return { page, last: last === null ? null : asked.placeOf(last, sort) }
        last = row
      }
      if (next === null || plan.examined.length > 0) return { page, last: next }
    }
  }

  async #count({ session, asked, sort, plan }: Planned, count: 'bounded' | 'exact'): Promise<string> {
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

/** What each row of a list is answered with. */
function namesOf({ table }: AskedTable, { fields }: ListQuery, { granted }: RowRequest): readonly string[] {
  return fields ?? granted?.fields.answered ?? table.columns.slice(0, -1).map(({ name }) => name)
}

/** What a page depends on, besides what is in the database. */
function keyOf({ asked, view, isPartial }: Asking, query: ListQuery, request: RowRequest): string {
  const { sort, limit, place, skipped, count } = query
  const filter = asked.shape(allOf([request.granted?.rule ?? null, query.filter]))
  // Operands of one shape are of the same types, so no two of them have one text.
  const operands = JSON.stringify(filter?.operands, (_name, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  const names = namesOf(asked, query, request).join()
  // The same rows may be asked for by a filter: then the cursor is not sealed.
  const isRuled = (request.granted?.rule ?? null) !== null
  return `${filter?.key ?? ''} ${operands} ${JSON.stringify([sort, limit, place, skipped, count, names, isPartial, isRuled, view.where])}`
}
