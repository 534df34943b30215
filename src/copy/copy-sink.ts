import type { Store } from '../database/store/store.ts'
import type { Image } from '../driver/facet/image.ts'

/** Takes what the data API has written into a primary, for the copy. Each method returns at once. */
export interface CopySink {
  /** Whether the table is copied from that primary: only then are the other methods to be called. */
  isCopied(primary: Store, table: string): boolean
  /**
   * To be called before the write is answered. `image` is called later, if at all. `version`: what `Feed.returned` gave for
   * the row; null: not known.
   */
  wrote(primary: Store, table: string, id: string, image: () => Image, version: string | null): void
  /** To be called before the removal is answered. */
  removed(primary: Store, table: string, id: string): void
}
