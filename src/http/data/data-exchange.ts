import type { ServerResponse } from 'node:http'
import type { Request } from 'polka'
import { parseId } from '../../collection/row/cursor.ts'
import { accessTo, type Collection } from '../../collection/declaration/declaration.ts'
import { isNamed, type Precondition, parsePrecondition } from '../../collection/row/etag.ts'
import type { RowRequest, RowResult, Rows } from '../../collection/row/rows.ts'
import type { Outcome, Session } from '../../database/work/session.ts'
import type { Demand } from '../../database/store/store.ts'
import { HoldfastError } from '../../errors.ts'
import { readJson } from './body.ts'
import { parseDemand, parsePage, refuseQuery } from './data-request.ts'
import { type HeaderList, writeHead } from '../server/fast-response.ts'
import { storeHeader } from './store-header.ts'
import { checkUnsent, endWith } from '../server/backpressure.ts'

/** What a read is taken to need before it is done: a large page. */
const expectedBytes = 1024 * 1024

/**
 * One request to the data API and its answer. Each method answers, or rejects with what is to be answered instead. It is
 * itself what the caller says to the rows, so that a read makes no further object.
 */
export class DataExchange implements RowRequest {
  readonly req: Request
  readonly res: ServerResponse
  demand: Demand | undefined = undefined
  #usedStore: string | null = null

  constructor(req: Request, res: ServerResponse) {
    this.req = req
    this.res = res
  }

  /** `GET /api/:collection`: 200 with a page. */
  async list(rows: Rows): Promise<void> {
    const { limit, cursor } = parsePage(this.req.search)
    checkUnsent(expectedBytes)
    const { value, store, driver } = await rows.list(limit, cursor, this)
    this.#sendRead(value, ['Holdfast-Store', storeHeader(store, driver), 'Cache-Control', caching(rows, 'list')])
  }

  /** `GET /api/:collection/:id`: 200 with the row, or 304 when the caller has it. */
  async get(rows: Rows): Promise<void> {
    refuseQuery(this.req.search)
    checkUnsent(expectedBytes)
    const outcome = await rows.get(this.#id(), this)
    const row = this.#row(outcome)
    const headers = rowHeaders(outcome, row)
    headers.push('Cache-Control', caching(rows, 'get'))
    const known = parsePrecondition(this.req.headers['if-none-match'], true)
    const isKnown = known !== null && row.etag !== null && isNamed(known, row.etag.slice(1, -1))
    if (isKnown) this.#end(304, headers)
    else this.#sendRead(row.text, headers)
  }

  /** `POST /api/:collection`: 201 with the row, its place and its ETag. */
  async create(rows: Rows, bodyLimitBytes: number): Promise<void> {
    refuseQuery(this.req.search)
    this.demand = parseDemand(this.req)
    const outcome = await rows.create(await readJson(this.req, bodyLimitBytes), this)
    const headers = this.#written(outcome, rowHeaders(outcome, outcome.value))
    headers.push('Location', `/api/${rows.collection.name}/${outcome.value.id}`)
    this.#send(201, outcome.value.text, headers)
  }

  /** `PATCH /api/:collection/:id`: 200 with the row as it is now. */
  async change(rows: Rows, bodyLimitBytes: number): Promise<void> {
    refuseQuery(this.req.search)
    const id = this.#id()
    this.demand = parseDemand(this.req)
    const body = await readJson(this.req, bodyLimitBytes)
    const outcome = await rows.change(id, body, this.#match(), this)
    const row = this.#row(outcome)
    this.#send(200, row.text, this.#written(outcome, rowHeaders(outcome, row)))
  }

  /** `DELETE /api/:collection/:id`: 204. */
  async remove(rows: Rows): Promise<void> {
    refuseQuery(this.req.search)
    this.demand = parseDemand(this.req)
    const outcome = await rows.remove(this.#id(), this.#match(), this)
    if (outcome.value.is !== 'removed') this.#row(outcome)
    this.#end(204, this.#written(outcome, ['Holdfast-Store', storeHeader(outcome.store, outcome.driver)]))
  }

  /** Kept for an answer that will be an error: it used a store all the same. */
  seen({ shown, store }: Session): void {
    this.#usedStore = storeHeader(shown, store.driver.name)
  }

  /** The header of the store that answered, for an error; null when none was asked. */
  get usedStore(): string | null {
    return this.#usedStore
  }

  #id(): string {
    const id = parseId(this.req.params.id ?? '')
    if (id === null) throw new HoldfastError('ROW_UNKNOWN')
    return id
  }

  #match(): Precondition | null {
    return parsePrecondition(this.req.headers['if-match'], false)
  }

  #row({ value }: Outcome<RowResult>): RowResult & { is: 'row' } {
    if (value.is === 'row') return value
    throw new HoldfastError(value.is === 'mismatch' ? 'VERSION_MISMATCH' : 'ROW_UNKNOWN')
  }

  #written(outcome: Outcome<unknown>, headers: HeaderList): HeaderList {
    headers.push('Holdfast-Durability', outcome.durability)
    if (this.demand !== undefined) headers.push('Preference-Applied', `durability=${this.demand}`)
    return headers
  }

  /** What was only read may still be refused: many may have been read at once. */
  #sendRead(text: string, headers: HeaderList): void {
    const bytes = Buffer.byteLength(text)
    checkUnsent(bytes)
    this.#send(200, text, headers, bytes)
  }

  /** One call with all headers: setting each by itself costs as much as reading the row. */
  #send(status: number, text: string, headers: HeaderList, bytes: number = Buffer.byteLength(text)): void {
    if (this.#isGone()) return
    headers.push('Content-Type', 'application/json', 'Content-Length', bytes)
    writeHead(this.res, status, headers)
    endWith(this.res, text, bytes)
  }

  #end(status: number, headers: HeaderList): void {
    if (this.#isGone()) return
    writeHead(this.res, status, headers)
    this.res.end()
  }

  #isGone(): boolean {
    return this.res.headersSent || this.res.destroyed
  }
}

function rowHeaders({ store, driver }: Outcome<unknown>, { etag }: RowResult & { is: 'row' }): HeaderList {
  const headers: HeaderList = ['Holdfast-Store', storeHeader(store, driver)]
  if (etag !== null) headers.push('ETag', etag)
  return headers
}

function caching({ collection }: { readonly collection: Collection }, operation: 'list' | 'get'): string {
  return accessTo(collection, operation) === 'public' ? 'no-cache' : 'private, no-cache'
}
