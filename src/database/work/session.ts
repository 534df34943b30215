import type { SqlEntityManager, StatementRunner } from '../../driver/driver.ts'
import type { Demand, Durability, Shown, Store } from '../store/store.ts'

/** What one request, or one unit of work, works with. Never shared between requests. */
export interface Session {
  readonly store: Store
  readonly shown: Shown
  /** The id of this unit of work: the same in every try, in the row it writes and in the log. UUIDv7. */
  readonly attempt: string
  /** Forked from the store's at first use: a session that only runs statements never pays for one. */
  readonly em: SqlEntityManager
  /** Compiled statements on the native client. */
  readonly statements: StatementRunner
}

/** How a unit of work is run. */
export interface WorkOptions {
  /** `write`: counted against the gate's hold, refused on a read-only fallback, answered with a durability. */
  readonly kind: 'read' | 'write'
  /**
   * `never`: once. `before-commit`: again when it was lost before COMMIT. `always`: it gives the same rows each time,
   * so also after an unknown COMMIT.
   */
  readonly rerun: 'never' | 'before-commit' | 'always'
  /** Refused with DURABILITY_UNMET before anything is written when it cannot be met. */
  readonly demand?: Demand
  /** Ends the wait for a store, and is handed on where the driver can be interrupted. */
  readonly signal?: AbortSignal
  /** Drawn when absent. */
  readonly attempt?: string
}

/** What became of it. */
export interface Outcome<T> {
  readonly value: T
  readonly store: Shown
  /** The driver's name, for the header `Holdfast-Store`. */
  readonly driver: string
  readonly durability: Durability
}

/**
 * The one place where work is run: opened once, held, counted, limited, run again. Rejects with `HoldfastError`
 * (STORE_UNAVAILABLE, STORE_LOST, STORE_BUSY, QUERY_TIMEOUT, COMMIT_UNKNOWN, DURABILITY_UNMET, STORE_READ_ONLY, OVERLOADED,
 * CLOSING, DISK_FULL, CONFLICT) or with what the work itself threw when that says nothing of the database.
 */
export type RunWork = <T>(
  work: (session: Session) => Promise<T>,
  options: WorkOptions,
  /**
   * Asked, for a moment, on the database that was lost sight of while it committed, where that still serves: what the
   * work would have given when its change is seen to be there, else null. Must change nothing.
   */
  findCommitted?: (session: Session) => Promise<T | null>,
) => Promise<Outcome<T>>
