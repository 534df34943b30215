import type { Granted } from '../../collection/access/granted.ts'
import { isJsonObject } from '../../collection/declaration/json-limits.ts'
import { parseDeleteAddress, parseKeyAddress } from '../../collection/query/write-request.ts'
import { parsePrecondition } from '../../collection/row/etag.ts'
import type { AnswerOf } from '../../collection/write/kept-answers.ts'
import { removeMatching } from '../../collection/write/matching.ts'
import type { CreateRow, RowOperation } from '../../collection/write/operation.ts'
import type { RequestKey } from '../../collection/write/request-key.ts'
import { rowInvalid } from '../../collection/write/row-body.ts'
import {
  changeOf,
  createOf,
  createsOf,
  jobOf,
  type ReplaceConditions,
  removeOf,
  replaceByKeyOf,
  replaceOf,
  replacesOf,
} from '../../collection/write/writes.ts'
import { HoldfastError } from '../../errors.ts'
import type { HeaderList } from '../server/fast-response.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { type DataExchange, rowOf } from './data-exchange.ts'
import { refuseQuery } from './data-request.ts'
import type { ServedCollection } from './served-collection.ts'
import { answerWrite, readWriteBody, requestKeyIn, rowIdsOf, WriteAnswers, type WriteLimits } from './write-answer.ts'

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
    const body = await readWriteBody(exchange, this.#limits)
    const { granted } = exchange
    const key = requestKeyIn(exchange, [body])
    if (Array.isArray(body)) {
      const operations = createsOf(written, body, granted, rowIdsOf(key))
      if (operations.length > 1) await count(operations.length - 1)
      return this.#write(operations, this.#answers.all, key)
    }
    if (!this.#isPlainCreate() || key !== null) {
      const operation = createOf(written, body, granted, rowIdsOf(key))
      return this.#write([operation], this.#answers.one, key, this.#isPlainCreate() ? operation : null)
    }
    const outcome = await rows.create(body, exchange.request)
    const headers = exchange.storeHeaders(outcome)
    const row = rowOf(outcome, headers)
    exchange.addDurability(outcome, headers)
    headers.push('Location', this.#answers.location(row.id))
    this.#send(201, row.text, headers)
  }

  /** `PUT /api/:collection/:id`: 201 or 200 with the row. */
  async replace(creating: Granted): Promise<void> {
    const exchange = this.#exchange
    refuseQuery(exchange.req.search)
    const id = exchange.id()
    exchange.readPreferences()
    const body = await readWriteBody(exchange, this.#limits)
    const operation = replaceOf(this.#served.written, id, body, exchange.granted, this.#conditions(creating))
    return this.#write([operation], this.#answers.one)
  }

  /**
   * `PUT /api/:collection` with an array of rows that have their ids: 200 with all rows, 201 if each is new. With the fields of
   * a unique key as parameters: as `replace`, of the row that has it. `count` counts rows besides the first.
   */
  async replaceAll(creating: Granted, count: (rows: number) => Promise<void> | null): Promise<void> {
    const exchange = this.#exchange
    const { collection, written } = this.#served
    const { granted, req } = exchange
    const key = req.search.length > 1 ? parseKeyAddress({ collection, asked: granted.fields.asked }, req.search) : null
    exchange.readPreferences()
    const body = await readWriteBody(exchange, this.#limits)
    const conditions = this.#conditions(creating)
    if (key !== null) return this.#write([replaceByKeyOf(written, key, body, granted, conditions)], this.#answers.one)
    if (!Array.isArray(body)) {
      throw rowInvalid([{ pointer: '', message: 'This accepts an array of rows with their ids.' }])
    }
    if (conditions.match !== null) {
      throw new HoldfastError('REQUEST_INVALID', {
        detail: '"If-Match" names one row; send it with the path of a row.',
      })
    }
    const operations = replacesOf(written, body, granted, conditions)
    if (operations.length > 1) await count(operations.length - 1)
    return this.#write(operations, this.#answers.all)
  }

  /** `PATCH /api/:collection/:id`: 200 with the row as it is now. */
  async change(): Promise<void> {
    const exchange = this.#exchange
    const { written, rows } = this.#served
    refuseQuery(exchange.req.search)
    const id = exchange.id()
    exchange.readPreferences()
    const mode = changeMode(exchange.req.headers['content-type'])
    const body = await readWriteBody(exchange, this.#limits)
    const match = exchange.match()
    const key = requestKeyIn(exchange, [mode, body])
    if (mode === 'merge' || key !== null || !this.#isPlainChange(body)) {
      const operation = changeOf(written, id, { body, mode, match }, exchange.granted)
      return this.#write([operation], this.#answers.one, key)
    }
    const outcome = await rows.change(id, body, match, exchange.request)
    if (outcome.value.is === 'unmet') {
      return this.#write([changeOf(written, id, { body, mode, match }, exchange.granted)], this.#answers.one)
    }
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
      return this.#write([removeOf(written, id, match, exchange.granted)], this.#answers.one)
    }
    const outcome = await rows.remove(id, match, exchange.request)
    if (outcome.value.is === 'unmet') {
      return this.#write([removeOf(written, id, match, exchange.granted)], this.#answers.one)
    }
    const headers = exchange.storeHeaders(outcome)
    if (outcome.value.is !== 'removed') rowOf(outcome, headers)
    exchange.addDurability(outcome, headers)
    exchange.end(204, headers)
  }

  /** `DELETE /api/:collection?...&max=N`: 200 with the number of rows that were deleted. */
  async removeMatching(): Promise<void> {
    const exchange = this.#exchange
    const { collection, written, runner } = this.#served
    const { granted, req } = exchange
    const request = parseDeleteAddress({ collection, asked: granted.fields.asked }, req.search)
    exchange.readPreferences()
    const key = requestKeyIn(exchange, [])
    const job = removeMatching(written, request, granted, exchange.request.age)
    return answerWrite(exchange, runner, job, this.#answers.removed, key === null ? null : { key, single: null })
  }

  #isPlainCreate(): boolean {
    return this.#exchange.granted.rule === null && this.#served.written.references.length === 0
  }

  #isPlainChange(body: unknown): boolean {
    const { references } = this.#served.written
    if (this.#exchange.granted.rule !== null || !isJsonObject(body)) return this.#exchange.granted.rule === null
    return !Object.hasOwn(body, '$inc') && !references.some(({ field }) => Object.hasOwn(body, field))
  }

  get #answers(): WriteAnswers {
    const { req, returned } = this.#exchange
    return new WriteAnswers(mountPrefixOf(req), this.#served.collection.name, returned === 'minimal')
  }

  #write(
    operations: readonly RowOperation[],
    answerOf: AnswerOf,
    key: RequestKey | null = null,
    single: CreateRow | null = null,
  ): Promise<void> {
    const keyed = key === null ? null : { key, single }
    return answerWrite(this.#exchange, this.#served.runner, jobOf(operations), answerOf, keyed)
  }

  #conditions(creating: Granted): ReplaceConditions {
    const exchange = this.#exchange
    const unknown = parsePrecondition(exchange.req.headers['if-none-match'], true)
    if (unknown !== null && unknown !== '*') {
      throw new HoldfastError('REQUEST_INVALID', { detail: 'Writes accept "If-None-Match: *" only.' })
    }
    return { match: exchange.match(), isNewOnly: unknown === '*', creating }
  }

  #send(status: number, text: string, headers: HeaderList): void {
    if (this.#exchange.returned === 'minimal') this.#exchange.end(204, headers)
    else this.#exchange.send(status, text, headers)
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
