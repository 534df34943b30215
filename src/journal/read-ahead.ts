import { faultOf } from '../database/machine/faults.ts'
import type { Store } from '../database/store/store.ts'
import { JournalFault } from '../database/supervisor/steps.ts'
import type { Driver } from '../driver/driver.ts'
import type { Entry, Journal } from '../driver/facet/journal.ts'

/** About how many entries are read at once. */
export const portionMax = 500

/** A store that journals. */
export type JournaledStore = Pick<Store, 'driver'> & { readonly journal: Journal }

/** What the journal of a store of this driver does. Rejects with a `JournalFault`. */
export async function ofJournal<T>(driver: Driver, doing: Promise<T>): Promise<T> {
  try {
    return await doing
  } catch (error) {
    throw new JournalFault(faultOf(driver, error, 'statement'))
  }
}

/** Begins to read the entries behind `after`; the call of what it gives waits for them, and rejects with a `JournalFault`. */
export function readAhead({ driver, journal }: JournaledStore, after: number): () => Promise<readonly Entry[]> {
  const reading = ofJournal(driver, journal.waiting(after, portionMax))
  // Nobody waits for it when the batch before it fails.
  reading.catch(() => {})
  return () => reading
}

/** Marks entries as carried while the next ones are on their way. Rejects with a `JournalFault`. */
export class Marks {
  readonly store: JournaledStore
  #last: Promise<void> = Promise.resolve()
  #pending = 0

  constructor(store: JournaledStore) {
    this.store = store
  }

  /** Entries that wait and were not given to `add`; too few for a moment after these are marked. */
  get left(): number {
    return this.store.journal.counts().entries - this.#pending
  }

  /** Resolves when those before are marked. Rejects when that failed. */
  async add(sequences: readonly number[]): Promise<void> {
    await this.#last
    this.#pending = sequences.length
    const { driver, journal } = this.store
    this.#last = ofJournal(driver, journal.carried(sequences)).finally(() => {
      this.#pending = 0
    })
    this.#last.catch(() => {})
  }

  /** Resolves with the entries that wait when all are marked. Rejects when that failed. */
  async settled(): Promise<number> {
    await this.#last
    return this.store.journal.counts().entries
  }
}
