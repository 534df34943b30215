import type { FaultCondition } from '../config/settings.ts'

/**
 * The kind of a failure. The conditions may lead to the fallback; `constraint` (a row broke a rule of the database) and
 * `statement` (the statement or the caller's own code is wrong) say nothing against the database and never do.
 */
export type FaultKind = FaultCondition | 'constraint' | 'statement'

/**
 * The kind of rule of a table that a row broke: a unique key, a column without a value, a check, a foreign key, or a value
 * that does not fit its column.
 */
export type TableRule = 'unique' | 'required' | 'check' | 'reference' | 'value'

/** What was being done when it failed. A statement outside a transaction is in phase `commit` once it has been sent. */
export type Phase = 'open' | 'begin' | 'statement' | 'commit' | 'rollback' | 'close'

/** A classified failure. */
export interface Fault {
  readonly kind: FaultKind
  /** The database's own code (`SQLITE_FULL`, `28P01`) or one of the driver's in capitals. */
  readonly code: string
  /** One sentence that holds no secret and no value of a row. */
  readonly summary: string
  /** One sentence: what to do. */
  readonly hint: string
  /** True: the change may or may not have been committed. Only in phase `commit`. */
  readonly ambiguous: boolean
  readonly cause: unknown
  /**
   * True: the database has written nothing of the work, and may do so if it is run again: it met another change at the same
   * time, or a member of the cluster that accepts no writes, whose connection is closed.
   */
  readonly undone?: true
  /** True: each other host of the same database would answer the same, though faults of this kind are often one host's. */
  readonly everywhere?: true
  /** Of a `constraint`, where the database says it. */
  readonly rule?: TableRule
  /** The columns that the database names. */
  readonly columns?: readonly string[]
  /** The constraint or index that the database names. */
  readonly constraint?: string
}

/** A fault on its way through code that throws. */
export class FaultError extends Error {
  override readonly name = 'FaultError'
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault.summary, { cause: fault.cause })
    this.fault = fault
  }
}
