import type { Filter } from '../filter/filter.ts'

/** What rows are grouped by: the value of a field, or the period that an instant is in (UTC). */
export interface GroupKey {
  /** As it is written and answered: `createdAt:month`. */
  readonly name: string
  readonly field: string
  readonly period: 'hour' | 'day' | 'month' | 'year' | null
}

/** What is computed of each group. */
export interface Measure {
  /** As it is written and answered: `count`, `rating:avg`. */
  readonly name: string
  /** Null: the rows themselves. */
  readonly field: string | null
  readonly computes: 'count' | 'distinct' | 'sum' | 'avg' | 'min' | 'max'
}

/** What a client asks of an aggregate. Read and checked: every name is visible to the caller. */
export interface AggregateQuery {
  readonly filter: Filter | null
  /** None: one group of all rows. */
  readonly groups: readonly GroupKey[]
  readonly measures: readonly Measure[]
  /** Names of groups and measures; by the groups unless told. */
  readonly sort: readonly { readonly name: string; readonly isDescending: boolean }[]
  readonly limit: number
}

/** Limits of aggregates. */
export const aggregateLimits: {
  readonly groups: number
  readonly measures: number
  readonly rows: number
  readonly answered: number
  readonly defaultAnswered: number
} = {
  groups: 3,
  measures: 20,
  /** Rows that are read; more: AGGREGATE_TOO_LARGE. */
  rows: 100_000,
  answered: 1_000,
  defaultAnswered: 100,
}
