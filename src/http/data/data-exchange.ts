import type { ServerResponse } from 'node:http'
import type { Request } from 'polka'
import { accessTo, type Collection } from '../../collection/declaration/declaration.ts'
import { isNamed, type Precondition, parseId, parsePrecondition } from '../../collection/row/etag.ts'
import type { RowResult } from '../../collection/row/precondition.ts'
import type { Rows } from '../../collection/row/rows.ts'
import type { Demand } from '../../database/store/store.ts'
import { failedStore, incompleteError } from '../../database/work/failure.ts'
import type { Outcome } from '../../database/work/session.ts'
import { HoldfastError } from '../../errors.ts'
import { checkUnsent, endWith } from '../server/backpressure.ts'
import { type HeaderList, writeHead } from '../server/fast-response.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { readJson } from './body.ts'
import { parseDemand, parsePage, refuseQuery } from './data-request.ts'
import { storeHeader } from './store-header.ts'

/** The size that a read is assumed to have before it is done: a large page. */
const expectedBytes = 1024 * 1024

/**
 * One request to the data API and its answer. Each method answers, or rejects with the error to answer with.
 */
export class DataExchange {
  readonly req: Request
  readonly res: ServerResponse
  #demand: Demand | undefined = undefined
  #store: string | null = null

  constructor(req: Request, res: ServerResponse) {
    this.req = req
    this.res = res
  }

  /** `GET /api/:collection`: 200 with a page. */
  async list(rows: Rows): Promise<void> {
    const { limit, cursor } = parsePage(this.req.search)
    checkUnsent(expectedBytes)
    const outcome = await rows.list(limit, cursor)
    const headers = this.#storeHeaders(outcome)
    headers.push('Cache-Control', caching(rows, 'list'))
    this.#sendRead(outcome.value, headers)
  }

  /** `GET /api/:collection/:id`: 200 with the row, or 304 when the client has it. */
  async get(rows: Rows): Promise<void> {
    refuseQuery(this.req.search)
    checkUnsent(expectedBytes)
    const outcome = await rows.get(this.#id())
    const headers = this.#storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    headers.push('Cache-Control', caching(rows, 'get'))
    const known = parsePrecondition(this.req.headers['if-none-match'], true)
    const isKnown = known !== null && row.etag !== null && isNamed(known, row.etag.slice(1, -1))
    if (isKnown) this.#end(304, headers)
    else this.#sendRead(row.text, headers)
  }

  /** `POST /api/:collection`: 201 with the row, its address and its ETag. */
  async create(rows: Rows, bodyLimitBytes: number): Promise<void> {
    refuseQuery(this.req.search)
    this.#demand = parseDemand(this.req)
    const outcome = await rows.create(await readJson(this.req, bodyLimitBytes), this.#demand)
    const headers = this.#storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    this.#addDurability(outcome, headers)
    headers.push('Location', `${mountPrefixOf(this.req)}/api/${rows.collection.name}/${row.id}`)
    this.#send(201, row.text, headers)
  }

  /** `PATCH /api/:collection/:id`: 200 with the row as it is now. */
  async change(rows: Rows, bodyLimitBytes: number): Promise<void> {
    refuseQuery(this.req.search)
    const id = this.#id()
    this.#demand = parseDemand(this.req)
    const body = await readJson(this.req, bodyLimitBytes)
    const outcome = await rows.change(id, body, this.#match(), this.#demand)
    const headers = this.#storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    this.#addDurability(outcome, headers)
    this.#send(200, row.text, headers)
  }

  /** `DELETE /api/:collection/:id`: 204. */
  async remove(rows: Rows): Promise<void> {
    refuseQuery(this.req.search)
    this.#demand = parseDemand(this.req)
    const outcome = await rows.remove(this.#id(), this.#match(), this.#demand)
    const headers = this.#storeHeaders(outcome)
    if (outcome.value.is !== 'removed') rowOf(outcome, headers)
    this.#addDurability(outcome, headers)
    this.#end(204, headers)
  }

  /** `Holdfast-Store` of an error that the request ends with: the store that failed, or that had answered; null: none. */
  storeOf(error: unknown): string | null {
    const failed = failedStore(error)
    return failed === null ? this.#store : storeHeader(failed.shown, failed.store.driver.name)
  }

  #id(): string {
    const id = parseId(this.req.params.id ?? '')
    if (id === null) throw new HoldfastError('ROW_NOT_FOUND')
    return id
  }

  #match(): Precondition | null {
    return parsePrecondition(this.req.headers['if-match'], false)
  }

  #storeHeaders({ store, driver }: Outcome<unknown>): HeaderList {
    this.#store = storeHeader(store, driver)
    return ['Holdfast-Store', this.#store]
  }

  #addDurability(outcome: Outcome<unknown>, headers: HeaderList): void {
    headers.push('Holdfast-Durability', outcome.durability)
    if (this.#demand !== undefined) headers.push('Preference-Applied', `durability=${this.#demand}`)
  }

  /** A read may still be refused: many large ones may have ended at the same time. */
  #sendRead(text: string, headers: HeaderList): void {
    const bytes = Buffer.byteLength(text)
    checkUnsent(bytes)
    this.#send(200, text, headers, bytes)
  }

  /** Writes all headers in one call: setting each by itself costs as much as reading the row. */
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

/** The row of the answer; its ETag joins the headers. Throws PRECONDITION_FAILED, ROW_NOT_FOUND or INCOMPLETE where there is none. */
function rowOf({ value }: Outcome<RowResult>, headers: HeaderList): RowResult & { is: 'row' } {
  if (value.is === 'mismatch') throw new HoldfastError('PRECONDITION_FAILED')
  if (value.is === 'unknown') throw incompleteError()
  if (value.is !== 'row') throw new HoldfastError('ROW_NOT_FOUND')
  if (value.etag !== null) headers.push('ETag', value.etag)
  return value
}

function caching({ collection }: { readonly collection: Collection }, operation: 'list' | 'get'): string {
  return accessTo(collection, operation) === 'public' ? 'no-cache' : 'private, no-cache'
}
