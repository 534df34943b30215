import type { FieldKind } from '../declaration/declaration.ts'
import { type AskedCollection, fieldPath } from '../filter/paths.ts'
import { queryInvalid, queryTooComplex, quoted, suggestionFor } from '../filter/query-error.ts'
import { type AggregateQuery, aggregateLimits, type GroupKey, type Measure } from './aggregate-query.ts'
import { readCount, readNames, readQueryString } from './parameters.ts'

const parameters = ['group', 'select', 'sort', 'limit', 'where'] as const

const periods = ['hour', 'day', 'month', 'year'] as const

const computations = ['count', 'distinct', 'sum', 'avg', 'min', 'max'] as const

const counting: Measure = { name: 'count', field: null, computes: 'count' }

/** Reads the query string of an aggregate. Throws QUERY_INVALID and QUERY_TOO_COMPLEX. */
export function parseAggregateAddress(of: AskedCollection, search: string): AggregateQuery {
  const { reserved, filter } = readQueryString<(typeof parameters)[number]>(of, search, parameters)
  const groups = readGroups(of, reserved.get('group'))
  const measures = readMeasures(of, reserved.get('select'))
  const names = [...groups, ...measures].map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw queryInvalid(`${quoted(twice)} is both a group and a measure. Leave one of them out.`)
  const limit = reserved.get('limit')
  return {
    filter,
    groups,
    measures,
    sort: readOrder(reserved.get('sort'), names),
    limit: limit === undefined ? aggregateLimits.defaultAnswered : readCount('limit', limit, aggregateLimits.answered),
  }
}

function readGroups(of: AskedCollection, given: string | undefined): readonly GroupKey[] {
  if (given === undefined) return []
  const items = readNames('group', given)
  if (items.length > aggregateLimits.groups) {
    throw queryTooComplex(`"group" may have at most ${aggregateLimits.groups} fields.`)
  }
  return items.map((name) => {
    const { field, kind, rest } = splitItem(of, 'group', name)
    if (kind === 'object' || kind === 'array') throw queryInvalid(`"group": ${quoted(field)} is an ${kind}.`)
    if (rest === null) return { name, field, period: null }
    const period = kind === 'instant' ? periods.find((one) => one === rest) : undefined
    if (period !== undefined) return { name, field, period }
    throw queryInvalid(
      `"group": ${quoted(name)} is not valid. Fields with a date and a time take :${periods.join(', :')}; others take nothing.`,
    )
  })
}

function readMeasures(of: AskedCollection, given: string | undefined): readonly Measure[] {
  if (given === undefined) return [counting]
  const items = readNames('select', given)
  if (items.length > aggregateLimits.measures) {
    throw queryTooComplex(`"select" may have at most ${aggregateLimits.measures} measures.`)
  }
  return items.map((name) => {
    if (name === 'count') return counting
    const { field, kind, rest } = splitItem(of, 'select', name)
    const possible = computationsOf(kind)
    const computes = possible.find((one) => one === rest)
    if (computes !== undefined) return { name, field, computes }
    const example = possible.map((one) => `${field}:${one}`).join(', ')
    throw queryInvalid(`"select": ${quoted(name)} is not valid. It takes ${example}, or count for the number of rows.`)
  })
}

function computationsOf(kind: FieldKind): readonly Measure['computes'][] {
  switch (kind) {
    case 'integer':
    case 'number':
    case 'decimal':
    case 'int64':
      return computations
    case 'text':
    case 'instant':
    case 'date':
      return ['count', 'distinct', 'min', 'max']
    case 'boolean':
    case 'uuid':
      return ['count', 'distinct']
    case 'object':
    case 'array':
      return ['count']
  }
}

function splitItem(
  { collection, asked }: AskedCollection,
  parameter: string,
  item: string,
): { readonly field: string; readonly kind: FieldKind; readonly rest: string | null } {
  const colon = item.indexOf(':')
  const field = colon < 0 ? item : item.slice(0, colon)
  if (!asked.has(field)) {
    throw queryInvalid(`"${parameter}": unknown field ${quoted(field)}. ${suggestionFor(field, asked)}`)
  }
  const { kind } = fieldPath(collection, field)
  // A field itself always has a kind that is declared.
  return { field, kind: kind as FieldKind, rest: colon < 0 ? null : item.slice(colon + 1) }
}

function readOrder(given: string | undefined, names: readonly string[]): AggregateQuery['sort'] {
  if (given === undefined) return []
  return readNames('sort', given).map((item) => {
    const isDescending = item.startsWith('-')
    const name = isDescending ? item.slice(1) : item
    if (names.includes(name)) return { name, isDescending }
    throw queryInvalid(
      `"sort" takes what "group" and "select" name; ${quoted(name)} is neither. ${suggestionFor(name, names)}`,
    )
  })
}
