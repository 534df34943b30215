import type { FieldKind } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { SortKey } from '../query/list-query.ts'

/** A key of a sort as the column that it is. */
export interface SortColumn extends SortKey {
  readonly kind: FieldKind
  readonly scale: number
  /** Whether rows may have no value there. */
  readonly mayBeNull: boolean
}

/**
 * Rows that follow each other in a sort and that one range of an index has. The first keys have one value each, or none; then
 * `all`: every row; `null`, `value`: those without and with a value of the next key; `beyond`: those whose next key is behind
 * that of the place; `after`: those that are behind the place by all keys from the next one on.
 */
export interface PageSource {
  readonly fixed: readonly ('value' | 'null')[]
  readonly rest: 'all' | 'null' | 'value' | 'beyond' | 'after'
}

/** How sources are made. */
export interface SourceOptions {
  /** Whether an index serves the comparison of several columns at once. */
  readonly comparesRows: boolean
  /** Rows without a value of the first key and those with one are sources of their own, from the first row on, too. */
  readonly splitsNulls: boolean
}

/**
 * The sources of the rows behind a place, in the order of the sort; never one with an OR, for which a database walks its index
 * from the start. Null: from the first row.
 */
export function sourcesAfter(
  sort: readonly SortColumn[],
  after: readonly FieldValue[] | null,
  options: SourceOptions,
): readonly PageSource[] {
  if (after !== null) return sourcesFrom(sort, after, 0, options)
  const [first] = sort
  if (!options.splitsNulls || first?.mayBeNull !== true) return [{ fixed: [], rest: 'all' }]
  const parts: readonly PageSource[] = [
    { fixed: [], rest: 'null' },
    { fixed: [], rest: 'value' },
  ]
  return first.isDescending ? parts.toReversed() : parts
}

function sourcesFrom(
  sort: readonly SortColumn[],
  after: readonly FieldValue[],
  at: number,
  options: SourceOptions,
): readonly PageSource[] {
  const [key, ...later] = sort.slice(at)
  if (key === undefined) return []
  if (later.length === 0) return [{ fixed: [], rest: 'after' }]
  const within = (fixed: 'value' | 'null') =>
    sourcesFrom(sort, after, at + 1, options).map((one) => ({ ...one, fixed: [fixed, ...one.fixed] }))
  if ((after[at] ?? null) === null) {
    // Null is the smallest: of a descending sort nothing follows.
    return key.isDescending ? within('null') : [...within('null'), { fixed: [], rest: 'value' }]
  }
  const isOneRange =
    options.comparesRows &&
    later.every(({ isDescending, mayBeNull }) => isDescending === key.isDescending && !mayBeNull)
  const values: readonly PageSource[] = isOneRange
    ? [{ fixed: [], rest: 'after' }]
    : [...within('value'), { fixed: [], rest: 'beyond' }]
  return key.isDescending && key.mayBeNull ? [...values, { fixed: [], rest: 'null' }] : values
}
