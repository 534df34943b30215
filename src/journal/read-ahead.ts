import type { Entry, Journal } from '../driver/facet/journal.ts'

/** About how many entries are read at once. */
export const portionMax = 500

/** Begins to read the entries behind `after`; the call of what it gives waits for them. */
export function readAhead(journal: Journal, after: number): () => Promise<readonly Entry[]> {
  const reading = journal.waiting(after, portionMax)
  // Nobody waits for it when the batch before it fails.
  reading.catch(() => {})
  return () => reading
}

/** Marks entries as carried while the next ones are on their way. */
export class Marks {
  readonly journal: Journal
  #last: Promise<void> = Promise.resolve()
  #pending = 0

  constructor(journal: Journal) {
    this.journal = journal
  }

  /** Entries that wait and were not given to `add`; too few for a moment after these are marked. */
  get left(): number {
    return this.journal.counts().entries - this.#pending
  }

  /** Resolves when those before are marked. Rejects when that failed. */
  async add(sequences: readonly number[]): Promise<void> {
    await this.#last
    this.#pending = sequences.length
    this.#last = this.journal.carried(sequences).finally(() => {
      this.#pending = 0
    })
    this.#last.catch(() => {})
  }

  /** Resolves with the entries that wait when all are marked. Rejects when that failed. */
  async settled(): Promise<number> {
    await this.#last
    return this.journal.counts().entries
  }
}
