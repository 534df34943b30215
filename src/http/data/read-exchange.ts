import type { AskedCollection } from '../../collection/filter/paths.ts'
import { queryInvalid } from '../../collection/filter/query-error.ts'
import { parseAggregateAddress } from '../../collection/query/aggregate-request.ts'
import { type ListReading, type ListRequest, listFormats, parseListBody } from '../../collection/query/list-request.ts'
import { HoldfastError } from '../../errors.ts'
import { checkUnsent } from '../server/backpressure.ts'
import { writeHead } from '../server/fast-response.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { acceptedFormat, askedBy, mediaTypes, nextLink } from './asking.ts'
import { readQueryJson } from './body.ts'
import { caching, type DataExchange, expectedBytes } from './data-exchange.ts'
import { parseMaxAge, refuseQuery } from './data-request.ts'
import { readListAddress } from './list-addresses.ts'
import { ListStream, type StreamFormat } from './list-stream.ts'
import type { ServedCollection } from './served-collection.ts'

/** One request that reads many rows, and its answer. Each method answers, or rejects with the error to answer with. */
export class ReadExchange {
  readonly #exchange: DataExchange
  readonly #served: ServedCollection
  readonly #all: ReadonlyMap<string, ServedCollection>

  constructor(exchange: DataExchange, served: ServedCollection, all: ReadonlyMap<string, ServedCollection>) {
    this.#exchange = exchange
    this.#served = served
    this.#all = all
  }

  /** `GET /api/:collection`: 200 with a page, or with all rows in another format. */
  list(): Promise<void> {
    const { search } = this.#exchange.req
    return this.#answer(readListAddress(this.#asked, search, this.#reading), search)
  }

  /** `POST /api/:collection/query`: the same; the body has the parameters. */
  async query(): Promise<void> {
    refuseQuery(this.#exchange.req.search)
    const reading = this.#reading
    await this.#answer(parseListBody(this.#asked, await readQueryJson(this.#exchange.req), reading), null)
  }

  /** `GET /api/:collection/aggregate`: 200 with groups and what was computed of each. */
  async aggregate(): Promise<void> {
    const exchange = this.#exchange
    const { aggregates } = this.#served
    acceptedFormat(exchange.req, ['json'])
    const query = parseAggregateAddress(this.#asked, exchange.req.search)
    exchange.maxAgeS = parseMaxAge(exchange.req)
    checkUnsent(expectedBytes)
    const outcome = await aggregates.compute(query, exchange.request)
    const headers = exchange.storeHeaders(outcome)
    headers.push('Cache-Control', caching(exchange.granted))
    exchange.sendRead(outcome.value, headers)
  }

  get #asked(): AskedCollection {
    return { collection: this.#served.collection, asked: this.#exchange.granted.fields.asked }
  }

  get #reading(): ListReading {
    const { req, granted } = this.#exchange
    return { accepted: acceptedFormat(req, listFormats), others: askedBy(granted.caller, this.#all) }
  }

  /** `search`: of the address; null: there is none that a next page could have. */
  async #answer({ query, format }: ListRequest, search: string | null): Promise<void> {
    const exchange = this.#exchange
    const { collection, lists } = this.#served
    if (query.count === 'exact' && exchange.granted.caller.is === 'public') {
      throw new HoldfastError('TOKEN_MISSING', {
        detail: '"count=exact" reads every row; without a token use "count=true".',
      })
    }
    exchange.maxAgeS = parseMaxAge(exchange.req)
    checkUnsent(expectedBytes)
    if (format !== 'json') return await this.#stream({ query, format }, format)
    const outcome = await lists.page(query, exchange.request)
    const { text, next } = outcome.value
    const headers = exchange.storeHeaders(outcome)
    headers.push('Cache-Control', caching(exchange.granted))
    if (next !== null && search !== null) {
      headers.push('Link', nextLink(`${mountPrefixOf(exchange.req)}/api/${collection.name}`, search, next))
    }
    exchange.sendRead(text, headers)
  }

  async #stream({ query }: ListRequest, format: StreamFormat): Promise<void> {
    if (query.count !== 'none') throw queryInvalid('"count" is for JSON alone: the other formats have no place for it.')
    if (query.skipped > 0) throw queryInvalid('"page" is for JSON alone: the other formats have all rows.')
    if (format === 'csv' && query.expand.length > 0)
      throw queryInvalid('"expand" is for JSON and NDJSON: CSV has no rows in rows.')
    const exchange = this.#exchange
    const { collection, lists } = this.#served
    await new ListStream(lists, query, format, exchange.request).write(exchange.res, (first) => {
      if (exchange.isGone) return
      const headers = exchange.storeHeaders(first)
      const type = format === 'csv' ? `${mediaTypes.csv}; charset=utf-8; header=present` : mediaTypes[format]
      headers.push('Cache-Control', caching(exchange.granted), 'Content-Type', type)
      if (format === 'csv') headers.push('Content-Disposition', `attachment; filename="${collection.name}.csv"`)
      writeHead(exchange.res, 200, headers)
    })
  }
}
