import type { Image, ImageColumn } from './image.ts'

/** A table that is copied. */
export interface CopiedTable {
  readonly name: string
  /** The primary key, one of the columns. */
  readonly key: ImageColumn
  /** How its keys sort: UUIDs and numbers as the database has them, other texts by their bytes. */
  readonly keyOrder: 'uuid' | 'number' | 'bytes'
  /** The columns that are copied. */
  readonly columns: readonly ImageColumn[]
}

/** A row of a primary. */
export interface FedRow {
  /** The text of its key. */
  readonly key: string
  /** Another one after each change of the row, whoever makes it; `''`: not known. */
  readonly version: string
  readonly image: Image
}

/** What tells whether two sets of rows are the same: the sums of the numbers in the rows' marks (`markOf`). */
export interface RowDigest {
  readonly count: number
  readonly high: number
  readonly low: number
}

/** The digest of the first rows behind a key. */
export interface ChunkDigest extends RowDigest {
  /** The key of its last row; null: there is no row. */
  readonly last: string | null
}

/** What became of a list of keys. */
export interface FedRows {
  /** The first so many of the keys were looked at; at least one, fewer than all where the rows are large. */
  readonly looked: number
  /** The rows of those keys that exist. */
  readonly rows: readonly FedRow[]
}

/** What a primary says about a table, by its own statistics. */
export interface TableSize {
  readonly rows: number
  readonly bytes: number
  /** The names of its columns. */
  readonly columns: readonly string[]
}

/** Facet of a primary: its rows, for a copy. Asks for no more than the right to SELECT; changes nothing. */
export interface Feed {
  /**
   * The version of a row that a statement outside of a transaction writes, as an expression for its RETURNING; works for
   * whatever is written to, as a view. Absent: `versionOf` tells. Not to be used where a trigger may change what is written:
   * the version would be that of the row as it is, not as it was returned.
   */
  readonly returned?: (table: string) => string
  /** The version of a row of which only the image is known; null: it cannot be told. Pure. */
  versionOf?(table: CopiedTable, image: Image): string | null
  /** A connection of its own, in no pool, to the host of the store. Rejects with what `classify` reads. */
  connect(signal: AbortSignal): Promise<FeedConnection>
}

/**
 * Reads what is committed, one call at a time. Each call rejects with what `classify` reads; with a fault of kind
 * `configuration` and code `otherSourceCode` where what answers is not the primary of that identity, or is a standby: a
 * pooler or a name may lead elsewhere by now. Keys are texts by their kind; ranges leave out `after` and include `last`.
 */
export interface FeedConnection {
  /**
   * What grows with each transaction, so that less than before means that the database was set back; null: not known. A
   * server that ends at once may lose what it never promised: compare with a position that is some seconds old.
   */
  position(identity: string): Promise<bigint | null>
  /** Null: there is no such table. */
  size(table: CopiedTable): Promise<TableSize | null>
  /** Of at most `limit` rows behind `after` (null: from the first), by key. */
  digest(identity: string, table: CopiedTable, after: string | null, limit: number): Promise<ChunkDigest>
  /** The versions by key of the rows up to `last` (null: to the end). */
  versions(
    identity: string,
    table: CopiedTable,
    after: string | null,
    last: string | null,
  ): Promise<ReadonlyMap<string, string>>
  /** The rows of these keys, one at least; as many as fit into an answer of limited size. */
  rows(identity: string, table: CopiedTable, keys: readonly string[]): Promise<FedRows>
  /** At most `limit` rows behind `after`, by key; fewer where they are large. None: there are no more. */
  page(identity: string, table: CopiedTable, after: string | null, limit: number): Promise<readonly FedRow[]>
  /** Frees the caller now and closes by reset. Never throws. Safe to call twice. */
  evict(): void
  /** Never throws. Safe to call twice and after `evict`. */
  close(): Promise<void>
}

/** The code of the fault of a feed that answers from another database, or from a standby. */
export const otherSourceCode = 'FEED_OTHER_SOURCE'

/** The column of a row's version in answers, next to the table's own: no column of a table has its name. */
export const versionColumn = 'holdfast version'
