/** How much is measured. */
export interface ArchiveBenchOptions {
  readonly repeat: number
  /** The length of one measurement of one case. */
  readonly seconds: number
  /** Rows that are written before. */
  readonly rows: number
  /** Rows that are restored. */
  readonly large: number
  /** How long a service without requests is watched. */
  readonly watchedS: number
}
