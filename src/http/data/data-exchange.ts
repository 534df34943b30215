import type { ServerResponse } from 'node:http'
import type { Request } from 'polka'
import type { Granted } from '../../collection/access/granted.ts'
import type { AnswerAge } from '../../collection/row/copied-rows.ts'
import { isNamed, type Precondition, parseId, parsePrecondition } from '../../collection/row/etag.ts'
import type { RowResult } from '../../collection/row/precondition.ts'
import type { RowRequest } from '../../collection/row/table-access.ts'
import type { Demand } from '../../database/store/store.ts'
import { failedStore, incompleteError } from '../../database/work/failure.ts'
import type { Outcome } from '../../database/work/session.ts'
import { HoldfastError } from '../../errors.ts'
import { checkUnsent, endWith } from '../server/backpressure.ts'
import { type HeaderList, writeHead } from '../server/fast-response.ts'
import { parseDemand, parseMaxAge, parseReturn, refuseQuery } from './data-request.ts'
import type { ServedCollection } from './served-collection.ts'
import { storeHeader } from './store-header.ts'

/** The size that a read is assumed to have before it is done: a large page. */
export const expectedBytes: number = 1024 * 1024

/** How old the copy is that an answer is from. */
const asOfHeader = 'Holdfast-As-Of'

/** A lag in seconds, rounded up: what is older is in the archive. */
export function lagText(lagS: number): string {
  return Number.isFinite(lagS) ? (Math.ceil(lagS * 10) / 10).toFixed(1) : 'unknown'
}

function instantOf(ms: number): string {
  return new Date(ms).toISOString()
}

/**
 * One request to the data API and its answer. Each method answers, or rejects with the error to answer with.
 */
export class DataExchange implements AnswerAge {
  readonly req: Request
  readonly res: ServerResponse
  /** What the caller may do, for the operation at hand. */
  readonly granted: Granted
  maxAgeS: number | null = null
  /** `Prefer: return=minimal`: answers of writes leave out rows. Null: nothing is preferred. */
  returned: 'minimal' | 'representation' | null = null
  asOfMs: number | null = null
  #demand: Demand | undefined = undefined
  #store: string | null = null

  constructor(req: Request, res: ServerResponse, granted: Granted) {
    this.req = req
    this.res = res
    this.granted = granted
  }

  /** `GET /api/:collection/:id`: 200 with the row, 304 when the client has it, or 412 when it is not the one it asks for. */
  async get({ lists }: ServedCollection): Promise<void> {
    refuseQuery(this.req.search)
    this.maxAgeS = parseMaxAge(this.req)
    checkUnsent(expectedBytes)
    const match = this.match()
    const known = parsePrecondition(this.req.headers['if-none-match'], true)
    const hasVersion = match !== null || known !== null
    const outcome = await lists.get(this.id(), this.request, hasVersion ? { match, hasVersion } : undefined)
    const headers = this.storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    headers.push('Cache-Control', caching(this.granted))
    const isKnown = known !== null && row.etag !== null && isNamed(known, row.etag.slice(1, -1))
    if (isKnown) this.end(304, headers)
    else this.sendRead(row.text, headers)
  }

  /** Sets what says where an error is from: the store that failed or had answered, and how old its copy is. */
  describeError(error: unknown): void {
    const failed = failedStore(error)
    const store = failed === null ? this.#store : storeHeader(failed.shown, failed.store.driver.name)
    if (this.res.headersSent) return
    if (store !== null) this.res.setHeader('Holdfast-Store', store)
    if (this.asOfMs !== null) this.res.setHeader(asOfHeader, instantOf(this.asOfMs))
  }

  /** The id in the path. Throws ROW_NOT_FOUND for what is none. */
  id(): string {
    const id = parseId(this.req.params.id ?? '')
    if (id === null) throw new HoldfastError('ROW_NOT_FOUND')
    return id
  }

  /** What the operation must fulfil. */
  get request(): RowRequest {
    return { granted: this.granted, demand: this.#demand, age: this }
  }

  /** `If-Match`. */
  match(): Precondition | null {
    return parsePrecondition(this.req.headers['if-match'], false)
  }

  /** Reads `Prefer` of a write. Throws REQUEST_INVALID. */
  readPreferences(): void {
    this.#demand = parseDemand(this.req)
    this.maxAgeS = parseMaxAge(this.req)
    this.returned = parseReturn(this.req)
  }

  /** The headers of an answer from this store. */
  storeHeaders({ store, driver }: Outcome<unknown>): HeaderList {
    this.#store = storeHeader(store, driver)
    const headers: HeaderList = ['Holdfast-Store', this.#store]
    if (this.asOfMs !== null) headers.push(asOfHeader, instantOf(this.asOfMs))
    if (this.maxAgeS !== null || this.returned !== null || this.#demand !== undefined) {
      headers.push('Preference-Applied', this.#applied())
    }
    return headers
  }

  #applied(): string {
    const applied = this.#demand === undefined ? [] : [`durability=${this.#demand}`]
    if (this.maxAgeS !== null) applied.push(`max-age=${this.maxAgeS}`)
    if (this.returned !== null) applied.push(`return=${this.returned}`)
    return applied.join(', ')
  }

  /** Of a write. */
  addDurability(outcome: Outcome<unknown>, headers: HeaderList): void {
    headers.push('Holdfast-Durability', outcome.durability)
    if (outcome.archiveLagS !== undefined) headers.push('Holdfast-Archive-Lag', lagText(outcome.archiveLagS))
  }

  /** A read may still be refused: many large ones may have ended at the same time. */
  sendRead(text: string, headers: HeaderList): void {
    const bytes = Buffer.byteLength(text)
    checkUnsent(bytes)
    this.send(200, text, headers, bytes)
  }

  /** Writes all headers in one call: setting each by itself costs as much as reading the row. */
  send(status: number, text: string, headers: HeaderList, bytes: number = Buffer.byteLength(text)): void {
    if (this.isGone) return
    headers.push('Content-Type', 'application/json', 'Content-Length', bytes)
    writeHead(this.res, status, headers)
    endWith(this.res, text, bytes)
  }

  /** Answers without a body. */
  end(status: number, headers: HeaderList): void {
    if (this.isGone) return
    writeHead(this.res, status, headers)
    this.res.end()
  }

  /** True if nothing can be answered any more. */
  get isGone(): boolean {
    return this.res.headersSent || this.res.destroyed
  }
}

/** The row of the answer; its ETag joins the headers. Throws PRECONDITION_FAILED, ROW_NOT_FOUND or INCOMPLETE where there is none. */
export function rowOf({ value }: Outcome<RowResult>, headers: HeaderList): RowResult & { is: 'row' } {
  if (value.is === 'mismatch') throw new HoldfastError('PRECONDITION_FAILED')
  if (value.is === 'unknown') throw incompleteError()
  if (value.is !== 'row') throw new HoldfastError('ROW_NOT_FOUND')
  if (value.etag !== null) headers.push('ETag', value.etag)
  return value
}

/** Whether caches shared by callers may keep an answer: what someone known may see is not for others. */
export function caching({ caller }: Granted): string {
  return caller.is === 'public' ? 'no-cache' : 'private, no-cache'
}
