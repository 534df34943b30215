import type { Image, ImageTable } from './image.ts'

/**
 * Facet of an embedded store that stands next to no primary: its rows, for a primary that a person chooses later. Rejects with
 * what `classify` reads.
 */
export interface LocalRows {
  /** The file's own id; copies of the file share it. */
  readonly fileId: string
  /**
   * The rows of a table whose ids come after that one, by id, at most `limit`; columns that the file lacks are left out. None
   * where there is no such table.
   */
  page(table: ImageTable, after: string, limit: number): Promise<readonly Image[]>
  /** The tables that have rows of collections. */
  tables(): Promise<readonly string[]>
  /** Each row is in a primary: no problem names them from now on, until the store serves again. */
  carried(atMs: number): Promise<void>
}
