import { escapePointer } from '../declaration/ajv.ts'
import type { Filter } from '../filter/filter.ts'
import { FilterReader } from '../filter/filter-reader.ts'
import type { AskedCollection } from '../filter/paths.ts'
import { queryInvalid, quoted, suggestionFor } from '../filter/query-error.ts'
import { cursorCodec } from './cursor.ts'
import { type AskedCollections, readExpand } from './expand.ts'
import { type ListQuery, listLimits, type PagePlace } from './list-query.ts'
import { readCount, readNames, readQueryString } from './parameters.ts'
import { newestFirst, readSort } from './sort.ts'

/** The formats of a list. */
export const listFormats = ['json', 'ndjson', 'csv'] as const

/** JSON is a page; the others are streams. */
export type ListFormat = (typeof listFormats)[number]

/** What a client asks, and how it wants the answer. */
export interface ListRequest {
  readonly query: ListQuery
  readonly format: ListFormat
}

/** What reading a request needs beside it. */
export interface ListReading {
  /** The format of the `Accept` header. */
  readonly accepted: ListFormat
  readonly others: AskedCollections
}

const parameters = ['limit', 'cursor', 'page', 'sort', 'fields', 'expand', 'count', 'where', 'format'] as const

type Parameter = (typeof parameters)[number]

const firstPage: ListQuery = {
  filter: null,
  sort: newestFirst,
  limit: listLimits.defaultRows,
  place: null,
  skipped: 0,
  fields: null,
  expand: [],
  count: 'none',
}

/** Reads the query string of a list. Throws QUERY_INVALID, QUERY_TOO_COMPLEX and CURSOR_INVALID. */
export function parseListAddress(of: AskedCollection, search: string, reading: ListReading): ListRequest {
  if (search.length < 2 && reading.accepted === 'json') return { query: firstPage, format: 'json' }
  const { reserved, filter } = readQueryString<Parameter>(of, search, parameters)
  return readRequest(of, (name) => reserved.get(name), filter, reading)
}

/**
 * Reads the body of a query: one JSON object with the parameters as members, `where` among them as JSON. Throws as for an address;
 * pointers are into the body.
 */
export function parseListBody(of: AskedCollection, body: unknown, reading: ListReading): ListRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw queryInvalid('A query is a JSON object, such as {"where": {"rating": {"gte": 4}}, "limit": 50}.', '')
  }
  const given = new Map<string, unknown>(Object.entries(body))
  for (const name of given.keys()) {
    if ((parameters as readonly string[]).includes(name)) continue
    throw queryInvalid(`Unknown member ${quoted(name)}. ${suggestionFor(name, parameters)}`, `/${escapePointer(name)}`)
  }
  const where = given.get('where')
  const filter = where === undefined ? null : new FilterReader(of).ofJson(where, '/where')
  return readRequest(of, (name) => given.get(name), filter, reading)
}

function readRequest(
  of: AskedCollection,
  given: (name: Parameter) => unknown,
  filter: Filter | null,
  { accepted, others }: ListReading,
): ListRequest {
  const sort = readSort(of, given('sort'))
  const format = readFormat(given('format')) ?? accepted
  const limit = given('limit') === undefined ? null : readCount('limit', given('limit'), listLimits.rows)
  const rows = limit ?? listLimits.defaultRows
  const isPaged = format === 'json' || given('page') !== undefined
  const query: ListQuery = {
    filter,
    sort,
    limit: isPaged ? rows : limit,
    place: readPlace(of, given('cursor'), sort),
    skipped: readSkipped(given('page'), rows, given('cursor') !== undefined),
    fields: readFields(of, given('fields')),
    expand: readExpand(of, given('expand'), others),
    count: readCounting(given('count')),
  }
  return { query, format }
}

function readFormat(given: unknown): ListFormat | null {
  if (given === undefined) return null
  const found = listFormats.find((format) => format === given)
  if (found !== undefined) return found
  throw queryInvalid(`"format" accepts ${listFormats.join(', ')}.`)
}

function readPlace(of: AskedCollection, given: unknown, sort: ListQuery['sort']): PagePlace | null {
  if (given === undefined) return null
  if (typeof given !== 'string') throw queryInvalid('"cursor" takes the text of "next".')
  return cursorCodec(of.collection, sort).decode(given)
}

function readSkipped(given: unknown, rows: number, hasCursor: boolean): number {
  if (given === undefined) return 0
  if (hasCursor) throw queryInvalid('"page" and "cursor" cannot be combined. Use one of them.')
  const page = readCount('page', given, listLimits.pagedRows)
  if (page * rows <= listLimits.pagedRows) return (page - 1) * rows
  throw queryInvalid(`"page" reaches row ${listLimits.pagedRows} at most. Use "cursor" to read further.`)
}

function readFields(of: AskedCollection, given: unknown): readonly string[] | null {
  if (given === undefined) return null
  const names = readNames('fields', given)
  const unknown = names.find((name) => !of.asked.has(name))
  if (unknown === undefined) return names
  throw queryInvalid(`"fields": unknown field ${quoted(unknown)}. ${suggestionFor(unknown, of.asked)}`)
}

function readCounting(given: unknown): ListQuery['count'] {
  if (given === undefined || given === 'false' || given === false) return 'none'
  if (given === 'true' || given === true) return 'bounded'
  if (given === 'exact') return 'exact'
  throw queryInvalid('"count" accepts true, false or exact.')
}
