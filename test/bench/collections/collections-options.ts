import type { On } from '../options.ts'

/** How much is measured, and on which database. */
export interface CollectionsBenchOptions {
  readonly on: On
  readonly repeat: number
  /** The length of one measurement of one case. */
  readonly seconds: number
  /** Rows that are written before. */
  readonly rows: number
  /** The folder whose build is the reference of plain requests; null: that part has none. */
  readonly against: string | null
}
