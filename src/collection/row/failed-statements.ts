import { faultOf } from '../../database/machine/faults.ts'
import type { Store } from '../../database/store/store.ts'
import { failedStore, withFailedStore } from '../../database/work/failure.ts'
import { HoldfastError } from '../../errors.ts'
import type { Operation } from '../declaration/declaration.ts'
import type { TableReports } from '../table/tables.ts'

/** What `FailedStatements` needs. */
export interface FailureParts {
  readonly tables: TableReports
  /** Checks the tables of a store again, on which a statement failed that should have worked. Never rejects. */
  readonly recheck?: (store: Store) => Promise<void>
  /** A monotonic clock in milliseconds. */
  readonly now: () => number
}

/** Finds out whether statements on the table of a collection fail because of the table. */
export class FailedStatements {
  readonly #name: string
  readonly #parts: FailureParts
  #checkedAt = Number.NEGATIVE_INFINITY
  #rechecked: Promise<void> | null = null

  constructor(name: string, parts: FailureParts) {
    this.#name = name
    this.#parts = parts
  }

  /**
   * The error to answer with when an operation failed: COLLECTION_UNAVAILABLE if the table turns out to be missing, changed
   * or closed to this service, else the same error. Never rejects.
   */
  async explained(error: unknown, operation: Operation): Promise<unknown> {
    const store = failedStore(error)?.store
    const cause = error instanceof HoldfastError ? error.cause : error
    if (store === undefined || cause === undefined || !concernsTable(store, cause)) return error
    const { now, tables, recheck } = this.#parts
    // A trigger of the table may raise an error for each request.
    if (now() - this.#checkedAt >= recheckPauseMs) {
      this.#checkedAt = now()
      tables.suspect(store, this.#name)
      this.#rechecked = recheck?.(store) ?? null
    }
    // Those that failed at the same time get the same answer.
    await this.#rechecked
    try {
      tables.check(store, this.#name, operation)
      return error
    } catch (unavailable) {
      return withFailedStore(unavailable, failedStore(error))
    }
  }
}

/** The shortest time between checks of a table because of failed statements. */
const recheckPauseMs = 1_000

/** Whether the error may come from a table that no longer fits its declaration: a missing column, a right, a type. */
function concernsTable({ driver }: Store, cause: unknown): boolean {
  const { kind } = faultOf(driver, cause, 'statement')
  return kind === 'statement' || kind === 'constraint'
}
