/** A value bound to a statement; the driver converts it to what its native client accepts (SQLite has no boolean, say). */
export type Value = string | number | bigint | boolean | null | Uint8Array | Date

/** A row by column name. */
export type Row = Readonly<Record<string, unknown>>

/** The outcome of one write. */
export interface Written {
  /** The rows of RETURNING. */
  readonly rows: readonly Row[]
  /** How many rows were inserted, changed or deleted. */
  readonly changed: number
}

/** A statement with its values. */
export interface Statement {
  readonly sql: string
  readonly values: readonly Value[]
}

/** Details of a read besides its statement. */
export interface ReadNote {
  /**
   * It must see whatever any member of the cluster has answered before; the driver may wait for that. Absent: a member may
   * be behind for a moment.
   */
  readonly fresh?: true
}

/** Details of a write besides its statement. */
export interface WriteNote {
  /** The attempt of the transaction that the statement is, outside of an open one. Absent: a journaling store draws one. */
  readonly attempt?: string
  /**
   * Claims the attempt first, in the same transaction: only where `Attempts.claiming` is `driver`. Fails with
   * `claimKnownCode` where the claim exists; `changed` counts the statement's own rows.
   */
  readonly claims?: true
  /**
   * Runs before the statement, as one transaction with it: the claim of a request with a key. Only where `takesFirst` is set,
   * and not with `claims`. Fails with `requestKnownCode` where it breaks a unique key; then nothing has changed.
   */
  readonly first?: Statement
}

/**
 * Facet: statements compiled by the store's kysely in its own dialect, run on the native client. Inside an open
 * EntityManager transaction (same async context) both methods join it. Prepared statements are cached by text, within a
 * limit. Rejects with what `classify` reads; with a `FaultError` where only the driver knows the phase.
 */
export interface Statements {
  /** Runs a statement that changes nothing. It sees committed rows only, and the transaction's own changes inside one. */
  read(sql: string, values: readonly Value[], note?: ReadNote): Promise<readonly Row[]>
  /** Runs one atomic statement. Resolves when the change is as durable as the store promises. */
  write(sql: string, values: readonly Value[], note?: WriteNote): Promise<Written>
  /** Whether `write` takes `WriteNote.first`, for much less than a transaction costs. Absent: it does not. */
  readonly takesFirst?: true
  /**
   * A number that grows when anything in the database may have changed, by this process or another one, so that what was
   * read may be kept. What others committed is asked for at most once in each `turn` (of the event loop), so that it is
   * no older than that turn. Null: unknown at the moment, as inside a transaction. Absent: the database cannot tell.
   */
  readonly generation?: (turn: number) => number | null
}
