import type { Part } from '../part.ts'
import type { AskedRows } from './asked-rows.ts'
import type { CollectionsBenchOptions } from './collections-options.ts'

/** What one repetition gave, by name. */
export type Values = Readonly<Record<string, number>>

/** One part of the benchmark. */
export interface Measurement {
  /** Measures once; null: not on this database. */
  measure(rows: AskedRows, options: CollectionsBenchOptions): Promise<Values | null>
  /** What all repetitions come to. */
  partOf(all: readonly Values[], options: CollectionsBenchOptions): Part
}

/** One value of each repetition. */
export function seriesOf(all: readonly Values[], name: string): readonly number[] {
  return all.map((values) => values[name] ?? Number.NaN)
}

/** How long a case runs before it is measured. */
export const warmUpSeconds = 0.5

/** The database as text. */
export function databaseName({ on }: Pick<CollectionsBenchOptions, 'on'>): string {
  return on === 'sqlite' ? 'SQLite' : 'PostgreSQL'
}
