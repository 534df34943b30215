import { type Collection, indexesOf } from '../declaration/declaration.ts'
import { conjunctsOf, isFieldCondition } from '../filter/conjunction.ts'
import type { Filter } from '../filter/filter.ts'
import type { Operand } from '../filter/operand.ts'
import type { AskedCollection } from '../filter/paths.ts'
import { queryInvalid } from '../filter/query-error.ts'
import { readCount, readQueryString } from './parameters.ts'

/** The most rows that one request deletes. */
const maxDeleted = 1_000

/** Which rows a DELETE of a collection is for. */
export interface DeleteRequest {
  readonly filter: Filter
  /** If more rows match, none is deleted. */
  readonly max: number
}

/** Reads the query string of a delete by conditions. Throws QUERY_INVALID without a condition or `max`, and QUERY_TOO_COMPLEX. */
export function parseDeleteAddress(of: AskedCollection, search: string): DeleteRequest {
  const { reserved, filter } = readQueryString<'max' | 'where'>(of, search, ['max', 'where'])
  if (conjunctsOf(filter).length === 0 || filter === null) {
    throw queryInvalid('A delete needs at least one condition, such as ?status=closed&max=100.')
  }
  const max = reserved.get('max')
  if (max === undefined) {
    throw queryInvalid(`A delete needs "max", the most rows that it may delete, from 1 to ${maxDeleted}.`)
  }
  return { filter, max: readCount('max', max, maxDeleted) }
}

/** Reads the query string of a PUT by a unique key: the value of each field of exactly one key. Throws QUERY_INVALID. */
export function parseKeyAddress(of: AskedCollection, search: string): ReadonlyMap<string, Operand> {
  const { filter } = readQueryString<never>(of, search, [])
  const values = new Map<string, Operand>()
  for (const condition of conjunctsOf(filter)) {
    const [operand] = isFieldCondition(condition) && condition.operator === 'eq' ? condition.operands : []
    if (!isFieldCondition(condition) || operand === undefined) throw noKey(of)
    values.set(condition.path.field, operand)
  }
  const isKey = uniqueKeysOf(of).some(
    (fields) => fields.length === values.size && fields.every((one) => values.has(one)),
  )
  if (!isKey) throw noKey(of)
  return values
}

function noKey(of: AskedCollection): Error {
  const keys = uniqueKeysOf(of).map((fields) => `?${fields.map((field) => `${field}=...`).join('&')}`)
  const known = keys.length === 0 ? 'This collection has none' : `Those of this collection: ${keys.join(', ')}`
  return queryInvalid(`The parameters must be exactly the fields of one unique key. ${known}.`)
}

/** The unique keys whose fields the caller knows. */
function uniqueKeysOf({ collection, asked }: AskedCollection): readonly (readonly string[])[] {
  return uniqueKeys(collection).filter((fields) => fields.every((field) => asked.has(field)))
}

/** The fields of each declared unique key. */
export function uniqueKeys(collection: Collection): readonly (readonly string[])[] {
  return indexesOf(collection).flatMap(({ fields, unique }) => (unique === true ? [fields] : []))
}
