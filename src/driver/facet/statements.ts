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

/**
 * Facet: statements compiled by the store's kysely in its own dialect, run on the native client. Inside an open
 * EntityManager transaction (same async context) both methods join it. Prepared statements are cached by text, within a
 * limit. Rejects with what `classify` reads; with a `FaultError` where only the driver knows the phase.
 */
export interface Statements {
  /** Runs a statement that changes nothing. It sees committed rows only, and the transaction's own changes inside one. */
  read(sql: string, values: readonly Value[]): Promise<readonly Row[]>
  /** Runs one atomic statement. Resolves when the change is as durable as the store promises. */
  write(sql: string, values: readonly Value[]): Promise<Written>
}
