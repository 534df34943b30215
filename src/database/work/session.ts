import type { Attempts } from '../../driver/facet/attempts.ts'
import type { Statements } from '../../driver/facet/statements.ts'
import type { Phase } from '../../driver/fault.ts'
import type { SqlEntityManager } from '../../driver/orm.ts'
import type { Demand, Durability, Shown, Store } from '../store/store.ts'

/** One request's, or one unit of work's, access to the active store. Never shared between requests. */
export interface Session {
  readonly store: Store
  readonly shown: Shown
  /**
   * The id of this transaction: the same in every try, in the rows that it writes and in the log. UUIDv7. In a handler's
   * session, the id of the transaction that the next flush of `em` begins.
   */
  readonly attempt: string
  /** How the data API's writes in this session claim their attempt; null: nothing is claimed. */
  readonly claims: Attempts['claiming'] | null
  /** Forked at first use, so that a session that only runs statements does not pay for it. */
  readonly em: SqlEntityManager
  /** Compiled statements on the native client. */
  readonly statements: Statements
}

/** How far a unit of work has come: what a failure at this point means. */
export type Progress = { phase: Phase }

/** How a unit of work is run. */
export interface WorkOptions {
  /** `write`: held while a switch is under way, refused on a read-only fallback, answered with a durability. */
  readonly kind: 'read' | 'write'
  /**
   * `never`: once. `before-commit`: again when it was lost before COMMIT. `always`: also after an unknown COMMIT of a try
   * that claimed its attempt, since another try that claims it again changes nothing twice.
   */
  readonly rerun: 'never' | 'before-commit' | 'always'
  /** The least durability; when the store cannot give it, DURABILITY_UNMET before anything is written. */
  readonly demand?: Demand
  /** Ends the wait for a store, and the work itself where the driver can be interrupted. */
  readonly signal?: AbortSignal
  /** Drawn when absent. */
  readonly attempt?: string
  /** The work claims its attempt before it changes anything, as `Session.claims` says. */
  readonly claims?: true
  /**
   * After an unknown COMMIT the work may go on in another database with the same attempt, since it creates a row that no
   * other database has: replay claims the attempt before it carries the row.
   */
  readonly elsewhere?: true
  /**
   * The work makes a claim of its own, in each database, in the transaction of its changes, and gives the same result where the
   * claim exists: a try after an unknown COMMIT changes nothing twice.
   */
  readonly isKeyed?: true
  /** How far the work has come, for work that is a transaction; absent: each statement of it is its own COMMIT. */
  readonly progress?: Readonly<Progress>
  /** The columns of unique keys by name, for databases that name only the key that a row breaks. */
  readonly keys?: ReadonlyMap<string, readonly string[]>
  /** Columns that no error names: not everyone may know of them. */
  readonly unnamed?: ReadonlySet<string>
}

/** The result of a unit of work. */
export interface Outcome<T> {
  readonly value: T
  readonly store: Shown
  /** The driver's name, for the header `Holdfast-Store`. */
  readonly driver: string
  readonly durability: Durability
  /**
   * Of a write: how far the archive is behind the store, in seconds; `Infinity`: not known, or the archive has no whole copy yet.
   * Absent: nothing archives the store, or the answer has waited for the archive.
   */
  readonly archiveLagS?: number
}

/**
 * Runs one unit of work on the active store. Rejects with `HoldfastError` (STORE_UNAVAILABLE, STORE_LOST, STORE_BUSY,
 * QUERY_TIMEOUT, COMMIT_UNKNOWN, DURABILITY_UNMET, ARCHIVE_UNCONFIRMED, RESTORING, ARCHIVE_REQUIRED, INCOMPLETE,
 * STORE_READ_ONLY, OVERLOADED, CLOSING, DISK_FULL, JOURNAL_FULL, CONFLICT, ROW_INVALID), or with the work's own error when that says nothing about the database. `failedStore` gives the store of the error.
 */
export type RunWork = <T>(
  work: (session: Session) => Promise<T>,
  options: WorkOptions,
  /**
   * Called after an unknown COMMIT, for a short time, while the same server still serves: gives the result of the work when
   * its change is found, else null, which decides nothing. Must change nothing.
   */
  findCommitted?: (session: Session) => Promise<T | null>,
) => Promise<Outcome<T>>
