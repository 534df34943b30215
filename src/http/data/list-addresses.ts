import type { AskedCollection } from '../../collection/filter/paths.ts'
import { type ListReading, type ListRequest, parseListAddress } from '../../collection/query/list-request.ts'

/** How many addresses are kept for each collection and kind of caller; then all of them are dropped. */
const maxAddresses = 256

/** A longer address is read each time. */
const maxLength = 256

/** By the names that a caller may ask for, which belong to one declaration. */
const known = new WeakMap<ReadonlySet<string>, Map<string, ListRequest>>()

/** Reads the address of a list; the same address only once, since clients ask the same again. Throws as `parseListAddress`. */
export function readListAddress(of: AskedCollection, search: string, reading: ListReading): ListRequest {
  if (search.length > maxLength) return parseListAddress(of, search, reading)
  const kept = known.get(of.asked) ?? new Map<string, ListRequest>()
  known.set(of.asked, kept)
  const key = `${reading.accepted} ${search}`
  const found = kept.get(key)
  if (found !== undefined) return found
  const read = parseListAddress(of, search, reading)
  // What may be expanded depends on the caller.
  if (read.query.expand.length > 0) return read
  if (kept.size >= maxAddresses) kept.clear()
  kept.set(key, read)
  return read
}
