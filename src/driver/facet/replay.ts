import type { Image, ImageTable } from './image.ts'

/** A row to be written over another one. */
export interface RowUpdate {
  readonly image: Image
  /** The attempt that the row must name. */
  readonly base: string | null
}

/** A row to be deleted. */
export interface RowRemoval {
  readonly id: string
  /** The attempt that the row must name. */
  readonly base: string | null
}

/** Why a primary refuses rows for good, or until a person acts. */
export type Refusal = 'table-missing' | 'column-missing' | 'unique' | 'refused'

/**
 * Facet of a primary: what replay writes. Every method joins the open EntityManager transaction and rejects with what
 * `classify` reads. Lists may have thousands of elements; ids in them are distinct.
 */
export interface Replay {
  /**
   * The isolation of the transactions that the methods join; absent: the server's own. Above it, a server may lock the gap
   * of a row that is missing, in which others insert.
   */
  readonly isolation?: 'read committed'
  /** Claims in the order of the attempts; gives those that were new. What stands in `holdfast_request` is not new. */
  claim(attempts: readonly string[]): Promise<ReadonlySet<string>>
  /** Locks these rows in the order of their ids and reads them, newest version; gives those that exist, by id. */
  lock(table: ImageTable, ids: readonly string[]): Promise<ReadonlyMap<string, Image>>
  /** Resolves with the number of inserted rows. Columns that an image lacks are left to their defaults. */
  insert(table: ImageTable, rows: readonly Image[]): Promise<number>
  /** Writes every column of the image where the row names the base. Resolves with the number of rows found so. */
  update(table: ImageTable, rows: readonly RowUpdate[]): Promise<number>
  /** Deletes where the row names the base. Resolves with the number of deleted rows. */
  remove(table: ImageTable, rows: readonly RowRemoval[]): Promise<number>
  /** Whether the rows themselves were refused (SQLSTATE 22, 23 and their like; a missing table or column); null: something else failed. */
  refusalOf(error: unknown): Refusal | null
}
