import type { AskedCollection } from '../filter/paths.ts'
import { fieldPath } from '../filter/paths.ts'
import { queryInvalid, queryTooComplex, quoted, suggestionFor } from '../filter/query-error.ts'
import { listLimits, type SortKey } from './list-query.ts'
import { readNames } from './parameters.ts'

/** The newest rows first: ids have the order of time. */
export const newestFirst: readonly SortKey[] = [{ field: 'id', isDescending: true }]

/** Reads `sort`. Ends with `id`, so that no two rows are equal. Throws QUERY_INVALID and QUERY_TOO_COMPLEX. */
export function readSort(of: AskedCollection, given: unknown): readonly SortKey[] {
  if (given === undefined) return newestFirst
  const items = readNames('sort', given)
  if (items.length > listLimits.sortKeys) {
    throw queryTooComplex(`"sort" may have at most ${listLimits.sortKeys} fields.`)
  }
  const keys: SortKey[] = []
  for (const item of items) {
    const isDescending = item.startsWith('-')
    const field = isDescending ? item.slice(1) : item
    checkSortable(of, field)
    if (keys.some((key) => key.field === field)) throw queryInvalid(`"sort" has ${quoted(field)} twice.`)
    keys.push({ field, isDescending })
  }
  const id = keys.findIndex(({ field }) => field === 'id')
  // What follows the id never decides.
  if (id >= 0) return keys.slice(0, id + 1)
  return [...keys, { field: 'id', isDescending: keys.at(-1)?.isDescending ?? true }]
}

function checkSortable(of: AskedCollection, field: string): void {
  if (!of.asked.has(field)) {
    throw queryInvalid(`"sort": unknown field ${quoted(field)}. ${suggestionFor(field, of.asked)}`)
  }
  const { kind } = fieldPath(of.collection, field)
  if (kind !== 'object' && kind !== 'array') return
  throw queryInvalid(`"sort": ${quoted(field)} is an ${kind}, which has no order.`)
}

/** As it is written in an address. */
export function sortText(sort: readonly SortKey[]): string {
  return sort.map(({ field, isDescending }) => (isDescending ? `-${field}` : field)).join()
}
