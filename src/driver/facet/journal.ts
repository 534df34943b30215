import type { Image, ImageTable } from './image.ts'
import type { KeptStanding } from './standing.ts'
import type { Row, Value } from './statements.ts'

/** One changed row in a journal. */
export interface Entry {
  /** Grows with each entry of the file; never used twice in it. */
  readonly sequence: number
  /** The local transaction, as a UUIDv7 of its time. */
  readonly transaction: string
  readonly attempt: string
  readonly table: string
  /** The row's id. */
  readonly key: string
  readonly operation: 'insert' | 'update' | 'delete'
  /** The attempt that the row named before; null also where there was no row. */
  readonly base: string | null
  /** The row before; null for an insert. */
  readonly old: Image | null
  /** The row after; null for a delete. */
  readonly new: Image | null
}

/** How much waits in a journal to be carried. */
export interface JournalCounts {
  /** Local transactions and entries for the addressed primary. */
  readonly transactions: number
  readonly entries: number
  /** Size of all entries that wait, whatever primary they are for. */
  readonly bytes: number
  /** Entries for primaries of other identities. */
  readonly elsewhere: number
  /** When the oldest entry was written, in milliseconds since 1970; null without any. */
  readonly oldestMs: number | null
}

/**
 * What a journal knows of one row in the outage at hand: entries that wait, and what was carried since `removeCarried` was
 * last called. A primary that has served since then may have changed the row again.
 */
export interface RowHistory {
  /** An entry waits to be carried to the addressed primary. */
  readonly isWaiting: boolean
  /** The last change was a delete. */
  readonly isDeleted: boolean
  /** Whether the row named this attempt before a change. */
  readonly replaced: Pick<ReadonlySet<string>, 'has'>
}

/** Entries that wait for one primary, to be kept outside of the file. */
export interface JournalPortion {
  /** The primary that they are for; null: the first one that is reached. */
  readonly identity: string | null
  /** Its name, for people. */
  readonly label: string | null
  /** At least one; in order, whole local transactions. */
  readonly entries: readonly Entry[]
}

/** Runs a statement of the schema change at hand and gives its rows. */
export type RunStatement = (sql: string, values: readonly Value[]) => Promise<readonly Row[]>

/**
 * Facet of an embedded store next to a primary: triggers record each change of a row in the same transaction, whatever made
 * it. Methods without a promise are synchronous and quick. Rejections are what `classify` reads.
 */
export interface Journal {
  /** The file's own id; copies of the file share it. */
  readonly fileId: string
  /** The identity of the primary that entries are addressed to; null: none was reached yet, so to the first. */
  readonly identity: string | null
  /** From now on, and for entries without an address, the addressed primary is this one. `label` is for people. */
  address(identity: string, label: string): Promise<void>
  /** The statements that create the triggers of a table, or replace those that are not as they should be; none where they are. */
  triggerChanges(table: ImageTable, run: RunStatement): Promise<readonly string[]>
  /**
   * Whether changes are accepted: at once, also inside open transactions. False at opening. A refused change fails with a
   * fault of kind `lost` and code `restingCode`.
   */
  serve(isServing: boolean): void
  /** Waits for the writer, then refuses changes: whatever has committed before is in the journal. */
  rest(signal: AbortSignal): Promise<void>
  /** The attempt of the EntityManager transaction that has just begun; without it the store draws one. */
  begun(attempt: string): void
  /** The most bytes that may wait; beyond, a change fails with a fault of kind `transient` and code `journalFullCode`. */
  setLimit(bytes: number): void
  counts(): JournalCounts
  history(table: string, key: string): RowHistory
  /** Whether an entry of this table waits; may be true of any table while very many entries wait. */
  mayWait(table: string): boolean
  /** Entries behind `after` that wait for the addressed primary, in order, whole local transactions, about `limit`. */
  waiting(after: number, limit: number): Promise<readonly Entry[]>
  /** The sequence of the last entry that was committed, whether it waits or not; 0 without any. */
  lastSequence(): number
  /** The sequence of the first entry that waits for the addressed primary; null: none. */
  firstWaiting(): number | null
  /**
   * The next entries behind `after` that wait, for whatever primary, of whole local transactions, about `maxBytes` of images;
   * null: none. Only what a crash of the machine cannot take back: everything that was committed before the call is given by
   * this call or those that follow it.
   */
  synced(after: number, maxBytes: number): Promise<JournalPortion | null>
  /** Marks entries as carried: a hint, which saves work. */
  carried(sequences: readonly number[]): Promise<void>
  /** The last local transaction that was carried to the addressed primary; null: none is kept. */
  lastCarried(): { readonly attempt: string; readonly transaction: string } | null
  /** Every kept entry for the addressed primary waits again. Resolves with their number. */
  carryAgain(): Promise<number>
  /** What the addressed primary was last seen to be, by whatever process kept it; null: nothing was kept. */
  standing(): KeptStanding | null
  /** Keeps what the addressed primary is seen to be. A power cut may take it back. */
  keepStanding(standing: KeptStanding): Promise<void>
  /** Removes the rows of these tables of which nothing waits, without journaling it. A copy of them is not whole from then on. */
  removeCarried(tables: readonly string[]): Promise<void>
  /** Deletes entries that were carried before that time, in milliseconds since 1970. */
  prune(beforeMs: number): Promise<void>
  /** Other primaries that entries are addressed to, with their number. */
  elsewhere(): readonly { readonly identity: string; readonly label: string | null; readonly entries: number }[]
}

/** Facet of an embedded store: reads its journal, which another process may use meanwhile. */
export type JournalView = Pick<Journal, 'fileId' | 'identity' | 'counts' | 'waiting' | 'elsewhere'>

/** The code of the fault of a change while the store does not accept any. */
export const restingCode = 'FALLBACK_RESTING'

/** The code of the fault of a change that a full journal refuses. */
export const journalFullCode = 'JOURNAL_FULL'
