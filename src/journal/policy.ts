import type { Image, ImageColumn } from '../driver/facet/image.ts'
import type { Entry } from '../driver/facet/journal.ts'
import { attemptColumn, type ConflictRules, merge } from './merge.ts'

/** How a policy settles a conflict: in one row of both, with the row of the primary, or with that of the fallback. */
export type PolicySide = 'merged' | 'theirs' | 'ours'

/** What the primary gets for an entry. */
export interface RowChange {
  readonly operation: Entry['operation']
  /** The attempt that the row in the primary must name; null also where there is none. */
  readonly base: string | null
  /** The row after it, in columns that the primary has; others keep their values. Null for a delete. */
  readonly image: Image | null
}

/** A conflict that needs no person. */
export interface PolicySettling {
  readonly as: PolicySide
  /** Null: the primary stays as it is. */
  readonly change: RowChange | null
}

/**
 * Settles the conflict of an entry with the row that was found in the primary, by the policy of its collection; null: it is
 * to be parked. `image`: the entry's new one, in columns that the primary has. Pure.
 *
 * | Conflict | `merge` | `primary-wins` | `fallback-wins` |
 * |---|---|---|---|
 * | update of a row that was changed | merged; parked where `merge` finds a conflict | left out | written over it |
 * | update of a row that is gone | parked | left out | inserted again |
 * | insert of an id that exists | parked | left out | written over it |
 * | delete of a row that was changed | parked | left out | deleted |
 * | delete of a row that is gone | parked | left out | left out: there is nothing to delete |
 *
 * `park` parks them all, and what the primary refuses, such as a unique key that is taken, is parked whatever the policy.
 */
export function settleByPolicy(
  { operation, attempt, old, new: ours }: Pick<Entry, 'operation' | 'attempt' | 'old' | 'new'>,
  image: Image | null,
  found: Image | null,
  { columns, rules }: { readonly columns: ReadonlyMap<string, ImageColumn>; readonly rules: ConflictRules },
): PolicySettling | null {
  const base = found?.[attemptColumn] ?? null
  switch (rules.policy) {
    case 'park':
      return null
    case 'merge': {
      if (operation !== 'update' || old === null || ours === null || found === null) return null
      const merged = merge({ base: old, ours, theirs: found }, attempt, columns, rules)
      if (merged === null) return null
      return { as: 'merged', change: { operation, base, image: { id: found.id ?? null, ...merged } } }
    }
    case 'primary-wins':
      return { as: 'theirs', change: null }
    case 'fallback-wins':
      if (image === null)
        return { as: 'ours', change: found === null ? null : { operation: 'delete', base, image: null } }
      return { as: 'ours', change: { operation: found === null ? 'insert' : 'update', base, image } }
  }
}
