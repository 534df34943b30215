import { HoldfastError } from '../../errors.ts'
import { isIndexable } from '../declaration/check-field.ts'
import { bounds, type Collection, indexesOf } from '../declaration/declaration.ts'
import { conjunctsOf, isFieldCondition } from '../filter/conjunction.ts'
import type { Condition, Filter } from '../filter/filter.ts'
import { listLimits, type SortKey } from './list-query.ts'
import { uniqueKeys } from './write-request.ts'

/** Which conditions of a query an index serves: decided by the declaration, so a request costs the same in every database. */
export interface ReadPlan {
  /** All must hold. The rows for which they do are read in the order of the sort, without looking at others. */
  readonly served: readonly Filter[]
  /** All must hold. They are looked for in the rows that `served` leaves, in at most `listLimits.examined` rows a page. */
  readonly examined: readonly Filter[]
}

/**
 * The plan of a list. Throws QUERY_UNINDEXED if no index serves the sort of a collection that may be large, and shows the one that
 * would. `rule` is not of the client: the error says nothing of it.
 */
export function planList(
  collection: Collection,
  sort: readonly SortKey[],
  filter: Filter | null,
  rule: Filter | null = null,
): ReadPlan {
  const parts = [...conjunctsOf(rule), ...conjunctsOf(filter)]
  const isSmall = (collection.maxRows ?? Number.POSITIVE_INFINITY) <= listLimits.unindexedSortRows
  if (isSmall || isByKey(collection, parts)) return { served: parts, examined: [] }
  const equal = equalFields(parts)
  // A field with one value for all rows does not order them.
  const keys = sort.filter(({ field }) => !equal.has(field))
  const [first] = keys
  const isOneWay = keys.every(({ isDescending }) => isDescending === first?.isDescending)
  const prefix = isOneWay ? longestPrefix(collection, equal, keys) : null
  if (prefix === null) throw unindexed(collection, keys, equalFields(conjunctsOf(filter)), isOneWay)
  const isServed = (part: Filter) => {
    if (!isFieldCondition(part)) return false
    const { field } = part.path
    return isEquality(part) ? prefix.has(field) : field === first?.field && isRange(part)
  }
  return { served: parts.filter(isServed), examined: parts.filter((part) => !isServed(part)) }
}

/** The plan of what needs no order: a count, an aggregate, the rows that a delete is for. */
export function planScan(collection: Collection, filter: Filter | null, rule: Filter | null = null): ReadPlan {
  const parts = [...conjunctsOf(rule), ...conjunctsOf(filter)]
  if (isByKey(collection, parts)) return { served: parts, examined: [] }
  const equal = equalFields(parts)
  let served: readonly Filter[] = []
  for (const fields of [['id'], ...indexesOf(collection).map((index) => index.fields)]) {
    const end = fields.findIndex((field) => !equal.has(field))
    const first = end < 0 ? undefined : fields[end]
    const prefix = new Set(end < 0 ? fields : fields.slice(0, end))
    const found = parts.filter(
      (part) =>
        isFieldCondition(part) &&
        (isEquality(part)
          ? prefix.has(part.path.field)
          : part.path.field === first && (isRange(part) || part.operator === 'in')),
    )
    if (found.length > served.length) served = found
  }
  return { served, examined: parts.filter((part) => !served.includes(part)) }
}

/** True if at most as many rows match as a list of values may have: those with the values of a unique key. */
function isByKey(collection: Collection, parts: readonly Filter[]): boolean {
  const hasValues = (field: string, isAlone: boolean) =>
    parts.some(
      (part) =>
        isFieldCondition(part) &&
        part.path.field === field &&
        (part.operator === 'eq' || (isAlone && part.operator === 'in')),
    )
  return [['id'], ...uniqueKeys(collection)].some((fields) =>
    fields.every((field) => hasValues(field, fields.length === 1)),
  )
}

/** The fields before the sort in the index that has most of them; null: no index has this order. */
function longestPrefix(
  collection: Collection,
  equal: ReadonlySet<string>,
  keys: readonly SortKey[],
): ReadonlySet<string> | null {
  // Each index ends with the id.
  const wanted = keys.flatMap(({ field }) => (field === 'id' ? [] : [field]))
  let longest: readonly string[] | null = wanted.length === 0 ? [] : null
  for (const { fields } of indexesOf(collection)) {
    const start = fields.length - wanted.length
    if (start < (longest === null ? 0 : longest.length + 1)) continue
    const isFit = fields.every((field, at) => (at < start ? equal.has(field) : field === wanted[at - start]))
    if (isFit) longest = fields.slice(0, start)
  }
  return longest === null ? null : new Set(longest)
}

function equalFields(parts: readonly Filter[]): ReadonlySet<string> {
  return new Set(parts.flatMap((part) => (isFieldCondition(part) && isEquality(part) ? [part.path.field] : [])))
}

/** One value for all rows: null is a value of an index. */
function isEquality({ operator, operands }: Condition): boolean {
  return operator === 'eq' || (operator === 'null' && operands[0] === true)
}

/** One range of an index. Null is its smallest value. */
function isRange({ operator, operands }: Condition): boolean {
  return ['gt', 'gte', 'lt', 'lte'].includes(operator) || (operator === 'null' && operands[0] === false)
}

function unindexed(
  collection: Collection,
  keys: readonly SortKey[],
  equal: ReadonlySet<string>,
  isOneWay: boolean,
): HoldfastError {
  if (!isOneWay) {
    return new HoldfastError('QUERY_UNINDEXED', {
      detail: 'An index serves a sort whose fields all go in one direction.',
      hint: `Sort by all fields in one direction. Other sorts are for collections with "maxRows" of at most ${listLimits.unindexedSortRows}.`,
    })
  }
  const sorted = keys.flatMap(({ field }) => (field === 'id' ? [] : [field]))
  const long = sorted.find((name) => {
    const field = Object.hasOwn(collection.fields, name) ? collection.fields[name] : undefined
    return field !== undefined && !isIndexable(field)
  })
  if (long !== undefined) {
    const most = `a "maxLength" of at most ${bounds.indexedLength}`
    return new HoldfastError('QUERY_UNINDEXED', {
      detail: `No index can have ${JSON.stringify(long)}: its text may be too long.`,
      hint: `Give the field ${most} and an index, or the collection a "maxRows" of at most ${listLimits.unindexedSortRows}.`,
    })
  }
  const whole = [...[...equal].filter((field) => Object.hasOwn(collection.fields, field)), ...sorted]
  const fields = whole.length <= bounds.indexFields ? whole : sorted
  return new HoldfastError('QUERY_UNINDEXED', {
    detail: `Add to "indexes" of the collection ${JSON.stringify(collection.name)}: ${JSON.stringify({ fields })}`,
  })
}
