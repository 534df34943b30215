import { referenceOf } from '../declaration/declaration.ts'
import type { AskedCollection } from '../filter/paths.ts'
import { queryInvalid, queryTooComplex, quoted, suggestionFor } from '../filter/query-error.ts'
import { type Expansion, listLimits } from './list-query.ts'
import { readNames } from './parameters.ts'

/** The collections of the service as the caller sees them, by name; undefined: none, or one that the caller may not get. */
export type AskedCollections = (name: string) => AskedCollection | undefined

/** Reads `expand`. Throws QUERY_INVALID and QUERY_TOO_COMPLEX. */
export function readExpand(of: AskedCollection, given: unknown, others: AskedCollections): readonly Expansion[] {
  if (given === undefined) return []
  const chains = readNames('expand', given)
  if (chains.length > listLimits.expansions) {
    throw queryTooComplex(`"expand" may have at most ${listLimits.expansions} entries.`)
  }
  return readLevel(
    of,
    chains.map((chain) => stepsOf(chain)),
    others,
  )
}

function stepsOf(chain: string): readonly string[] {
  const steps = chain.split('.')
  if (steps.length <= listLimits.expansionDepth) return steps
  throw queryTooComplex(`"expand" follows at most ${listLimits.expansionDepth} references, one after the other.`)
}

function readLevel(
  of: AskedCollection,
  chains: readonly (readonly string[])[],
  others: AskedCollections,
): readonly Expansion[] {
  const inner = new Map<string, (readonly string[])[]>()
  for (const [field = '', ...rest] of chains) {
    const known = inner.get(field) ?? []
    if (rest.length > 0) known.push(rest)
    inner.set(field, known)
  }
  return [...inner].map(([field, below]) => {
    const target = targetOf(of, field)
    if (below.length === 0) return { field, inner: [] }
    const other = others(target)
    if (other === undefined) throw queryInvalid(`"expand": ${quoted(field)} cannot be followed further.`)
    return { field, inner: readLevel(other, below, others) }
  })
}

function targetOf({ collection, asked }: AskedCollection, name: string): string {
  const references = [...asked].filter((one) => {
    const field = Object.hasOwn(collection.fields, one) ? collection.fields[one] : undefined
    return field !== undefined && referenceOf(field) !== null
  })
  const field = references.includes(name) ? collection.fields[name] : undefined
  const reference = field === undefined ? null : referenceOf(field)
  if (reference !== null) return reference.collection
  const known = references.length === 0 ? 'There are none.' : suggestionFor(name, references)
  throw queryInvalid(`"expand" takes fields that refer to another collection; ${quoted(name)} does not. ${known}`)
}
