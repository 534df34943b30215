/** How much is measured. */
export interface JournalBenchOptions {
  readonly repeat: number
  /** The length of one measurement. */
  readonly seconds: number
  /** Entries that one replay carries. */
  readonly entries: number
  /** Entries of the large journal. */
  readonly large: number
}
