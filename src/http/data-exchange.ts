import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Request } from 'polka'
import { parseId } from '../collection/cursor.ts'
import { accessTo, type Collection } from '../collection/declaration.ts'
import { isNamed, type Precondition, parsePrecondition } from '../collection/etag.ts'
import type { RowRequest, RowResult, Rows } from '../collection/rows.ts'
import type { Outcome, Session } from '../database/session.ts'
import { HoldfastError } from '../errors.ts'
import { readJson } from './body.ts'
import { parseDemand, parsePage, refuseQuery } from './data-request.ts'

/** One request to the data API and its answer. Each method answers, or rejects with what is to be answered instead. */
export class DataExchange {
  readonly req: Request
  readonly res: ServerResponse

  constructor(req: Request, res: ServerResponse) {
    this.req = req
    this.res = res
  }

  /** `GET /api/:collection`: 200 with a page. */
  async list(rows: Rows): Promise<void> {
    const { limit, cursor } = parsePage(this.req.search)
    const { value, store, driver } = await rows.list(limit, cursor, { seen: this.#seen })
    this.#send(200, value, { 'Holdfast-Store': storeHeader(store, driver), 'Cache-Control': caching(rows, 'list') })
  }

  /** `GET /api/:collection/:id`: 200 with the row, or 304 when the caller has it. */
  async get(rows: Rows): Promise<void> {
    refuseQuery(this.req.search)
    const outcome = await rows.get(this.#id(), { seen: this.#seen })
    const row = this.#row(outcome)
    const headers = this.#rowHeaders(outcome, row)
    headers['Cache-Control'] = caching(rows, 'get')
    const known = parsePrecondition(this.req.headers['if-none-match'], true)
    if (known !== null && row.etag !== null && isNamed(known, row.etag.slice(1, -1))) {
      if (!this.#isGone()) this.res.writeHead(304, headers).end()
      return
    }
    this.#send(200, row.text, headers)
  }

  /** `POST /api/:collection`: 201 with the row, its place and its ETag. */
  async create(rows: Rows, bodyLimitBytes: number): Promise<void> {
    refuseQuery(this.req.search)
    const request = this.#request()
    const outcome = await rows.create(await readJson(this.req, bodyLimitBytes), request)
    const headers = this.#written(outcome, request, this.#rowHeaders(outcome, outcome.value))
    headers.Location = `/api/${rows.collection.name}/${outcome.value.id}`
    this.#send(201, outcome.value.text, headers)
  }

  /** `PATCH /api/:collection/:id`: 200 with the row as it is now. */
  async change(rows: Rows, bodyLimitBytes: number): Promise<void> {
    refuseQuery(this.req.search)
    const id = this.#id()
    const request = this.#request()
    const body = await readJson(this.req, bodyLimitBytes)
    const outcome = await rows.change(id, body, this.#match(), request)
    const row = this.#row(outcome)
    this.#send(200, row.text, this.#written(outcome, request, this.#rowHeaders(outcome, row)))
  }

  /** `DELETE /api/:collection/:id`: 204. */
  async remove(rows: Rows): Promise<void> {
    refuseQuery(this.req.search)
    const request = this.#request()
    const outcome = await rows.remove(this.#id(), this.#match(), request)
    if (outcome.value.is !== 'removed') this.#row(outcome)
    const headers = { 'Holdfast-Store': storeHeader(outcome.store, outcome.driver) }
    if (!this.#isGone()) this.res.writeHead(204, this.#written(outcome, request, headers)).end()
  }

  /** Kept for an answer that will be an error: it used a store all the same. */
  readonly #seen = ({ shown, store }: Session): void => {
    this.#usedStore = storeHeader(shown, store.driver.name)
  }
  #usedStore: string | null = null

  /** The header of the store that answered, for an error; null when none was asked. */
  get usedStore(): string | null {
    return this.#usedStore
  }

  #request(): RowRequest {
    const demand = parseDemand(this.req)
    return demand === undefined ? { seen: this.#seen } : { seen: this.#seen, demand }
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

  #rowHeaders(outcome: Outcome<unknown>, row: RowResult & { is: 'row' }): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = { 'Holdfast-Store': storeHeader(outcome.store, outcome.driver) }
    if (row.etag !== null) headers.ETag = row.etag
    return headers
  }

  #written(outcome: Outcome<unknown>, { demand }: RowRequest, headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
    headers['Holdfast-Durability'] = outcome.durability
    if (demand !== undefined) headers['Preference-Applied'] = `durability=${demand}`
    return headers
  }

  /** One call with all headers: setting each by itself costs as much as reading the row. */
  #send(status: number, text: string, headers: OutgoingHttpHeaders): void {
    if (this.#isGone()) return
    headers['Content-Type'] = 'application/json'
    headers['Content-Length'] = Buffer.byteLength(text)
    this.res.writeHead(status, headers)
    this.res.end(text)
  }

  #isGone(): boolean {
    return this.res.headersSent || this.res.destroyed
  }
}

const storeHeaders = new Map<string, string>()

/** `local; driver=sqlite`: made once for each of the few that there are. */
function storeHeader(shown: string, driver: string): string {
  const key = `${shown} ${driver}`
  const known = storeHeaders.get(key)
  if (known !== undefined) return known
  const made = `${shown}; driver=${driver}`
  storeHeaders.set(key, made)
  return made
}

function caching({ collection }: { readonly collection: Collection }, operation: 'list' | 'get'): string {
  return accessTo(collection, operation) === 'public' ? 'no-cache' : 'private, no-cache'
}
