/** The server behind the service. */
export type CopyBenchServer = 'postgresql' | 'mysql'

/** How much is measured. */
export interface CopyBenchOptions {
  readonly on: CopyBenchServer
  readonly repeat: number
  /** The length of one measurement of one case. */
  readonly seconds: number
  /** Rows of a table. */
  readonly rows: number
  /** Rows of the large one. */
  readonly large: number
  /** How long its memory is watched. */
  readonly minutes: number
}
