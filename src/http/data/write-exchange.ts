import type { Granted } from '../../collection/access/granted.ts'
import { parsePrecondition } from '../../collection/row/etag.ts'
import type { RowOperation, WriteResult } from '../../collection/write/operation.ts'
import { isJsonObject, rowInvalid } from '../../collection/write/row-body.ts'
import {
  changeOf,
  createOf,
  createsOf,
  type ReplaceConditions,
  removeOf,
  replaceOf,
  replacesOf,
  writeAll,
} from '../../collection/write/writes.ts'
import type { Settings } from '../../config/settings.ts'
import type { Outcome } from '../../database/work/session.ts'
import { HoldfastError } from '../../errors.ts'
import type { HeaderList } from '../server/fast-response.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { readJson } from './body.ts'
import { type DataExchange, rowOf } from './data-exchange.ts'
import { refuseQuery } from './data-request.ts'
import type { LargeBodies } from './large-bodies.ts'
import type { ServedCollection } from './served-collection.ts'

/** What writes are limited by. */
export interface WriteLimits {
  readonly settings: Pick<Settings['http'], 'bodyLimitBytes' | 'bulkLimitBytes'>
  readonly large: LargeBodies
}

/**
 * One write to a collection and its answer. Each method answers, or rejects with the error to answer with. What needs no
 * transaction of several statements runs as one statement.
 */
export class WriteExchange {
  readonly #exchange: DataExchange
  readonly #served: ServedCollection
  readonly #limits: WriteLimits

  constructor(exchange: DataExchange, served: ServedCollection, limits: WriteLimits) {
    this.#exchange = exchange
    this.#served = served
    this.#limits = limits
  }

  /**
   * `POST /api/:collection`: 201 with the row, its address and its ETag; of an array, with all rows. `count` counts rows
   * besides the first.
   */
  async create(count: (rows: number) => Promise<void> | null): Promise<void> {
    const { written, rows } = this.#served
    const exchange = this.#exchange
    refuseQuery(exchange.req.search)
    exchange.readPreferences()
    const body = await this.#body()
    const { granted } = exchange
    if (Array.isArray(body)) {
      const operations = createsOf(written, body, granted)
      if (operations.length > 1) await count(operations.length - 1)
      return this.#answerAll(await this.#write(operations))
    }
    if (!this.#isPlainCreate()) return this.#answerOne(await this.#write([createOf(written, body, granted)]))
    const outcome = await rows.create(body, exchange.request)
    const headers = exchange.storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    exchange.addDurability(outcome, headers)
    headers.push('Location', this.#location(row.id))
    this.#send(201, row.text, headers)
  }

  /** `PUT /api/:collection/:id`: 201 or 200 with the row. */
  async replace(creating: Granted): Promise<void> {
    const exchange = this.#exchange
    refuseQuery(exchange.req.search)
    const id = exchange.id()
    exchange.readPreferences()
    const body = await this.#body()
    const operation = replaceOf(this.#served.written, id, body, exchange.granted, this.#conditions(creating))
    this.#answerOne(await this.#write([operation]))
  }

  /** `PUT /api/:collection` with an array of rows that have their ids: 200 with all rows, 201 if each is new. */
  async replaceAll(creating: Granted): Promise<void> {
    const exchange = this.#exchange
    refuseQuery(exchange.req.search)
    exchange.readPreferences()
    const body = await this.#body()
    if (!Array.isArray(body))
      throw rowInvalid([{ pointer: '', message: 'This accepts an array of rows with their ids.' }])
    const conditions = this.#conditions(creating)
    if (conditions.match !== null) {
      throw new HoldfastError('REQUEST_INVALID', {
        detail: '"If-Match" names one row; send it with the path of a row.',
      })
    }
    this.#answerAll(await this.#write(replacesOf(this.#served.written, body, exchange.granted, conditions)))
  }

  /** `PATCH /api/:collection/:id`: 200 with the row as it is now. */
  async change(): Promise<void> {
    const exchange = this.#exchange
    const { written, rows } = this.#served
    refuseQuery(exchange.req.search)
    const id = exchange.id()
    exchange.readPreferences()
    const mode = changeMode(exchange.req.headers['content-type'])
    const body = await this.#body()
    const match = exchange.match()
    if (mode === 'merge' || !this.#isPlainChange(body)) {
      const operation = changeOf(written, id, { body, mode, match }, exchange.granted)
      return this.#answerOne(await this.#write([operation]))
    }
    const outcome = await rows.change(id, body, match, exchange.request)
    const headers = exchange.storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    exchange.addDurability(outcome, headers)
    this.#send(200, row.text, headers)
  }

  /** `DELETE /api/:collection/:id`: 204. */
  async remove(): Promise<void> {
    const exchange = this.#exchange
    const { written, rows } = this.#served
    refuseQuery(exchange.req.search)
    exchange.readPreferences()
    const [id, match] = [exchange.id(), exchange.match()]
    if (exchange.granted.rule !== null || written.referring.length > 0) {
      return this.#answerOne(await this.#write([removeOf(written, id, match, exchange.granted)]))
    }
    const outcome = await rows.remove(id, match, exchange.request)
    const headers = exchange.storeHeaders(outcome)
    if (outcome.value.is !== 'removed') rowOf(outcome, headers)
    exchange.addDurability(outcome, headers)
    exchange.end(204, headers)
  }

  #isPlainCreate(): boolean {
    return this.#exchange.granted.rule === null && this.#served.written.references.length === 0
  }

  #isPlainChange(body: unknown): boolean {
    const { references } = this.#served.written
    if (this.#exchange.granted.rule !== null || !isJsonObject(body)) return this.#exchange.granted.rule === null
    return !Object.hasOwn(body, '$inc') && !references.some(({ field }) => Object.hasOwn(body, field))
  }

  #body(): Promise<unknown> {
    const { req, res, granted } = this.#exchange
    const { bodyLimitBytes, bulkLimitBytes } = this.#limits.settings
    const limit = granted.caller.is === 'public' ? bodyLimitBytes : Math.max(bodyLimitBytes, bulkLimitBytes)
    return readJson(req, limit, this.#limits.large.of(res, bodyLimitBytes))
  }

  #write(operations: readonly RowOperation[]): Promise<Outcome<readonly WriteResult[]>> {
    return writeAll(this.#served.runner, operations, this.#exchange.request)
  }

  #conditions(creating: Granted): ReplaceConditions {
    const exchange = this.#exchange
    const unknown = parsePrecondition(exchange.req.headers['if-none-match'], true)
    if (unknown !== null && unknown !== '*') {
      throw new HoldfastError('REQUEST_INVALID', { detail: 'Writes accept "If-None-Match: *" only.' })
    }
    return { match: exchange.match(), isNewOnly: unknown === '*', creating }
  }

  /** The answer of one operation. */
  #answerOne(outcome: Outcome<readonly WriteResult[]>): void {
    const [result] = outcome.value
    if (result === undefined) throw new Error('unreachable: an operation has a result')
    const headers = this.#headers(outcome)
    if (result.etag !== null) headers.push('ETag', result.etag)
    if (result.is === 'created') headers.push('Location', this.#location(result.id))
    if (result.is === 'removed') this.#exchange.end(204, headers)
    else this.#send(result.is === 'created' ? 201 : 200, result.text, headers)
  }

  /** The answer of an array of rows. */
  #answerAll(outcome: Outcome<readonly WriteResult[]>): void {
    const { value } = outcome
    const status = value.every(({ is }) => is === 'created') ? 201 : 200
    const text =
      this.#exchange.returned === 'minimal'
        ? JSON.stringify({ ids: value.map(({ id }) => id) })
        : `{"items":[${value.map((result) => result.text).join(',')}]}`
    this.#exchange.send(status, text, this.#headers(outcome))
  }

  #headers(outcome: Outcome<unknown>): HeaderList {
    const headers = this.#exchange.storeHeaders(outcome)
    this.#exchange.addDurability(outcome, headers)
    return headers
  }

  #send(status: number, text: string, headers: HeaderList): void {
    if (this.#exchange.returned === 'minimal') this.#exchange.end(204, headers)
    else this.#exchange.send(status, text, headers)
  }

  #location(id: string): string {
    return `${mountPrefixOf(this.#exchange.req)}/api/${this.#served.collection.name}/${id}`
  }
}

/** `application/merge-patch+json` merges; JSON Patch, which has the same suffix, is another language. */
function changeMode(contentType: string = ''): 'set' | 'merge' {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'application/json-patch+json') {
    throw new HoldfastError('CONTENT_TYPE_UNSUPPORTED', {
      detail: 'A change is application/json, or application/merge-patch+json.',
    })
  }
  return type === 'application/merge-patch+json' ? 'merge' : 'set'
}
