import type { BatchOutcome, Parked } from './batch.ts'
import type { LocalTransaction } from './local-transaction.ts'
import type { JournalObservation } from './observation.ts'

/** How often a long carry is reported. */
const everyMs = 5_000

/** What one carry has done, reported now and then and at its end. */
export class CarryReport {
  readonly #label: string
  readonly #observe: (seen: JournalObservation) => void
  readonly #left: () => number
  #sinceMs = performance.now()
  #transactions = 0
  #parked = 0
  #settled = 0
  #entries = 0
  #hasParked = false

  /** `left`: local transactions that still wait. */
  constructor(label: string, observe: (seen: JournalObservation) => void, left: () => number) {
    this.#label = label
    this.#observe = observe
    this.#left = left
  }

  /** True once anything was parked. */
  get hasParked(): boolean {
    return this.#hasParked
  }

  /** A batch was committed. */
  add(batch: readonly LocalTransaction[], { applied, parked, settled }: BatchOutcome): void {
    this.#transactions += applied.length
    this.#parked += parked.length
    this.#settled += settled.length
    this.#entries += batch.reduce((sum, { entries }) => sum + entries.length, 0)
    for (const one of parked) this.#park(one)
    if (performance.now() - this.#sinceMs >= everyMs) this.end()
  }

  /** Reports what was not reported yet. */
  end(): void {
    const [transactions, parked, settled, entries] = [this.#transactions, this.#parked, this.#settled, this.#entries]
    const nowMs = performance.now()
    const tookMs = nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    this.#transactions = this.#parked = this.#settled = this.#entries = 0
    // What had been carried before is no news.
    if (transactions + parked === 0) return
    this.#observe({
      type: 'journal.carried',
      label: this.#label,
      transactions,
      parked,
      settled,
      entries,
      tookMs,
      left: this.#left(),
    })
  }

  #park({ parked }: Parked): void {
    this.#hasParked = true
    const [shown] = parked.filter(({ reason }) => reason !== 'with_transaction')
    if (shown === undefined) return
    const { attempt, table, key } = shown.entry
    const what = { attempt, collection: table, row: key, reason: shown.reason, entries: parked.length }
    this.#observe({ type: 'journal.parked', label: this.#label, ...what })
  }
}
