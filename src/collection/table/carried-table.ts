import { requestTable } from '../../driver/facet/requests.ts'
import type { CarriedTable } from '../../journal/judge.ts'
import type { ConflictRules, SumBounds } from '../../journal/merge.ts'
import type { Collection } from '../declaration/declaration.ts'
import { referencesOf } from '../declaration/references.ts'
import { safeIntegers } from '../declaration/row-schema.ts'
import { imageTableOf } from './image-table.ts'

/** What a journal is carried to: the tables of these collections, and that of requests with a key. */
export function carriedTablesOf(collections: readonly Collection[]): readonly CarriedTable[] {
  return [...collections.map(carriedTableOf), requestTable]
}

/** The table of a collection as a journal is carried to it: with what the declaration says about conflicts. */
export function carriedTableOf(collection: Collection): CarriedTable {
  const references = new Map([...referencesOf(collection)].map(([field, { collection: parent }]) => [field, parent]))
  return { ...imageTableOf(collection), rules: rulesOf(collection), references }
}

function rulesOf({ conflict = 'park', fields }: Collection): ConflictRules {
  const sums = new Map<string, SumBounds>()
  for (const [name, field] of Object.entries(fields)) {
    if (!('sum' in field)) continue
    const widest = field.type === 'integer' ? safeIntegers : { minimum: -Infinity, maximum: Infinity }
    const { minimum = widest.minimum, maximum = widest.maximum } = field.type === 'string' ? {} : field
    sums.set(name, { minimum, maximum })
  }
  return { policy: conflict, sums }
}
