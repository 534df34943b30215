import { allOf } from '../filter/conjunction.ts'
import type { Filter } from '../filter/filter.ts'
import { filterLimits } from '../filter/filter.ts'
import { parseFilterJson } from '../filter/filter-json.ts'
import { FilterReader } from '../filter/filter-reader.ts'
import type { AskedCollection } from '../filter/paths.ts'
import { queryInvalid, quoted } from '../filter/query-error.ts'

/** The parameters of an address: what is reserved, by name, and the conditions. */
export interface QueryParameters<Name extends string> {
  readonly reserved: ReadonlyMap<Name, string>
  readonly filter: Filter | null
}

/**
 * Reads a query string, with or without `?`: each name and value is decoded once. Names in `known` are parameters, `where` among them
 * a filter in JSON; all others are conditions. Throws QUERY_INVALID and QUERY_TOO_COMPLEX.
 */
export function readQueryString<Name extends string>(
  of: AskedCollection,
  search: string,
  known: readonly (Name | 'where')[],
): QueryParameters<Name | 'where'> {
  const reserved = new Map<Name | 'where', string>()
  const conditions = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(search)) {
    const parameter = known.find((one) => one === name)
    if (parameter === undefined) {
      // `rating` and `rating:eq` are one condition.
      const key = name.endsWith(':eq') ? name.slice(0, -3) : name
      const values = conditions.get(key)
      if (values === undefined) conditions.set(key, [value])
      else values.push(value)
    } else if (reserved.has(parameter)) throw queryInvalid(`The parameter ${quoted(name)} appears twice.`)
    else reserved.set(parameter, value)
  }
  const where = reserved.get('where')
  if (conditions.size === 0 && where === undefined) return { reserved, filter: null }
  const reader = new FilterReader(of)
  const filters = [...conditions].map(([name, values]) => reader.ofAddress(name, values, known))
  if (where !== undefined) filters.push(reader.ofJson(parseFilterJson(where, filterLimits.addressBytes)))
  return { reserved, filter: allOf(filters) }
}

/** A whole number of a parameter, from 1 to `most`. Throws QUERY_INVALID. */
export function readCount(name: string, given: unknown, most: number): number {
  const count = typeof given === 'string' && /^[1-9]\d{0,8}$/.test(given) ? Number(given) : given
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 1 && count <= most) return count
  throw queryInvalid(`"${name}" must be an integer from 1 to ${most}.`)
}

/** The items of a parameter between its commas. Throws QUERY_INVALID for none, for an empty item and for one twice. */
export function readNames(name: string, given: unknown): readonly string[] {
  if (typeof given !== 'string') throw queryInvalid(`"${name}" takes text: names between commas.`)
  const items = given.split(',')
  if (items.includes('')) throw queryInvalid(`"${name}" takes names between commas; one of them is empty.`)
  const twice = items.find((item, at) => items.indexOf(item) !== at)
  if (twice !== undefined) throw queryInvalid(`"${name}" has ${quoted(twice)} twice.`)
  return items
}
