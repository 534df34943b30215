import type { Condition, Filter } from './filter.ts'

/** One filter that is true where all of these are; null: there is none. */
export function allOf(filters: readonly (Filter | null)[]): Filter | null {
  const given = filters.filter((filter) => filter !== null)
  const [first] = given
  return given.length > 1 ? { is: 'and', filters: given } : (first ?? null)
}

/** The parts that must all be true: nested `and`s are taken apart. */
export function conjunctsOf(filter: Filter | null): readonly Filter[] {
  if (filter === null) return []
  return filter.is === 'and' ? filter.filters.flatMap(conjunctsOf) : [filter]
}

/** True for a comparison of a field itself, not of a member. */
export function isFieldCondition(filter: Filter): filter is Condition {
  return filter.is === 'condition' && filter.path.members.length === 0
}
