import type { CopiedTable, FedRow, RowDigest } from './feed.ts'
import type { Image } from './image.ts'

/** Which database the copied rows are from: a branch, or a restored one, has the identity of the original. */
export interface CopySource {
  readonly identity: string
  /** Where it is (host, port, database), without user and secrets. */
  readonly target: string
}

/** What a file knows of the copy of one table. */
export interface CopyState {
  /** Each row of the source has been looked at since the copy began. */
  readonly isSwept: boolean
  /** Nothing is to be looked at once more (`unverified`), and no entry for another primary waits on its rows. */
  readonly isVerified: boolean
  /** The columns that are copied: a field that was declared since is not among them. */
  readonly columns: readonly string[]
  /** Where the sweep goes on; null: at the first row. */
  readonly after: string | null
  /** When the look at the part that was looked at longest ago began, in milliseconds since 1970; null: some never was. */
  readonly asOfMs: number | null
  /** When the last poll began, as an id of that time; null: there was none. */
  readonly polled: string | null
  /** Copied rows, and the length of their images. */
  readonly rows: number
  readonly bytes: number
}

/** What a look at the primary has found. */
export interface CopyChange {
  /** Rows to be written as they are. */
  readonly rows: readonly FedRow[]
  /** Keys of rows that are not there. */
  readonly removed: readonly string[]
  /** Asked right before a row is touched: true of a row that was written through since the look began. */
  readonly isNewer?: (key: string) => boolean
  /** Rows are only written over those with a lower number in this column: they may come late. */
  readonly newerBy?: string
  /** The range that was looked at, whole, and when the look began. `last` null: to the end. */
  readonly look?: { readonly after: string | null; readonly last: string | null; readonly atMs: number }
  /** The poll that this was: an id drawn before it began. */
  readonly polled?: string
  /** Where the sweep goes on from here. */
  readonly next?: { readonly after: string | null; readonly isWhole: boolean }
}

/** What became of a change. */
export interface CopyOutcome {
  readonly written: number
  readonly removed: number
  /** Left alone: entries of the journal wait on them, or a row with entries that wait has their unique key. To be verified. */
  readonly waiting: number
  /** The file cannot hold them: keys, with why. To be verified. */
  readonly refused: readonly { readonly key: string; readonly why: string }[]
}

/** Reads what a file knows of its copy. Synchronous and quick. */
export interface CopyView {
  /** Null: nothing was copied yet. */
  source(): CopySource | null
  /** Null: the table is not copied. */
  state(table: string): CopyState | null
}

/** What a file says to a process that only looks at it. */
export interface CopyGlance extends CopyView {
  /** Of the primary that the journal in the file is addressed to; null: none was reached yet. */
  readonly identity: string | null
}

/**
 * Facet of an embedded store next to a primary: rows of the primary in the tables of the store, each marked as copied with
 * its version. Nothing of it is journaled, touches a row on which entries wait, or removes a row that is not marked. A
 * write holds the writer for at most 5 ms at a time. Methods without a promise are synchronous and quick. Rejections are
 * what `classify` reads.
 */
export interface Copy extends CopyView {
  /**
   * From now on these tables are copied from this source: creates what is missing for it. What was copied from another one,
   * or of another table, is out of sight at once (`ownRows`) and is removed until this resolves.
   */
  begin(source: CopySource, tables: readonly CopiedTable[]): Promise<void>
  /** Everything that was copied is out of sight at once, and is removed until this resolves. */
  reset(): Promise<void>
  /** The position of the source that was kept last; null: none. */
  position(): bigint | null
  /** Keeps a position of the source (`FeedConnection.position`), for the next process. */
  keepPosition(position: bigint): Promise<void>
  /**
   * After the journal was drained: what was changed here since the last call, or is in these tables unmarked with nothing
   * that waits, is marked and to be verified.
   */
  settle(tables: readonly CopiedTable[]): Promise<void>
  /** Of the marked rows in that range. */
  digest(table: string, after: string | null, last: string | null): RowDigest
  /** The versions by key of the marked rows in that range. */
  versions(table: string, after: string | null, last: string | null): ReadonlyMap<string, string>
  /** Keys that are to be looked at once more. */
  unverified(table: string, limit: number): readonly string[]
  /** Applies what was found; the look, the poll and the place of the sweep become known with its end. */
  apply(table: CopiedTable, change: CopyChange): Promise<CopyOutcome>
  /** The same at once: for what must be there before the store serves. Throws what `classify` reads. */
  applyNow(table: CopiedTable, change: CopyChange): CopyOutcome
  /** Removes copied rows that hold a unique key of this row, with nothing that waits on them; they are to be verified. True: some were. */
  giveWay(table: string, image: Image): Promise<boolean>
  /** A condition in SQL on the rows of a table, true of those that were written here: for tables that are not copied whole. */
  ownRows(table: string): string
  /** Whether there is room on the disk for more. */
  hasRoom(): boolean
}

/** The code of the fault of a change of a table that only the copy may change. */
export const copyReadOnlyCode = 'COPY_READ_ONLY'
