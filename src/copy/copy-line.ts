/** What an outage means for a collection, for people and programs. */
export interface CopyLine {
  readonly collection: string
  /** The rows are readable and writable in an outage. */
  readonly isWhole: boolean
  /** No part is older, in milliseconds since 1970; null: not whole. */
  readonly asOfMs: number | null
  readonly rows: number
  readonly bytes: number
  /** Why it is not copied, or not whole yet, as a clause ("it takes 2.1 GB, and COPY_MAX_BYTES is 256 MB"); null: it is whole. */
  readonly why: string | null
}
