/** What a client knows of a write. `refused`: it says that nothing was written. */
export type ChangeEnding = 'open' | 'acknowledged' | 'unknown' | 'refused'

/** One write of a row. */
export interface Change {
  readonly kind: 'create' | 'change' | 'remove'
  /** What the row has afterwards. */
  readonly value: number
  readonly service: number
  readonly sentMs: number
  doneMs: number
  ending: ChangeEnding
  /** The word of `Holdfast-Durability`. */
  durability: string | null
}

/** A row that one client alone writes, found again by its token. */
export interface LedgerRow {
  readonly token: string
  id: string | null
  readonly changes: Change[]
}

/** An answer, as the table counts it. */
export interface Answered {
  readonly service: number
  readonly method: string
  readonly sentMs: number
  readonly doneMs: number
  /** 0: none came. */
  readonly status: number
  readonly code: string | null
  /** The first word of `Holdfast-Store`. */
  readonly store: string | null
  readonly durability: string | null
}

/** A row that all clients increment. */
export interface CounterRow {
  readonly id: string
  acknowledged: number
  unknown: number
}

/** All that the clients of a run sent and were told. */
export class Ledger {
  readonly rows: LedgerRow[] = []
  readonly answers: Answered[] = []
  readonly counters: CounterRow[] = []

  row(token: string): LedgerRow {
    const row: LedgerRow = { token, id: null, changes: [] }
    this.rows.push(row)
    return row
  }
}
