import type { Problem } from '../config/problem.ts'
import type { Fault } from '../driver/fault.ts'

/** What the modules of the copy report. Labels hold no secret, and no observation has a value of a row. */
export type CopyObservation =
  /** Rows of these tables are copied from the primary of this label from now on. */
  | { readonly type: 'copy.began'; readonly label: string; readonly tables: readonly string[] }
  /** Each row of a table has been copied: an outage leaves it readable and writable. */
  | {
      readonly type: 'copy.completed'
      readonly collection: string
      readonly rows: number
      readonly bytes: number
      readonly tookMs: number
    }
  /** A part of a table was compared with the primary, or read from it for the first time. */
  | {
      readonly type: 'copy.looked'
      readonly collection: string
      /** Rows of the primary in that part. */
      readonly rows: number
      readonly written: number
      readonly removed: number
      readonly tookMs: number
    }
  /** Rows that this service has written to the primary are in the copy, too. */
  | { readonly type: 'copy.written-through'; readonly collection: string; readonly rows: number }
  /** Everything that was copied was dropped: the primary was set back. */
  | { readonly type: 'copy.reset'; readonly label: string }
  /** Reading the primary, or writing the copy, failed; it is tried again after `retryMs`. */
  | {
      readonly type: 'copy.failed'
      readonly at: 'primary' | 'fallback'
      readonly label: string
      readonly fault: Fault
      readonly retryMs: number
    }
  /** Something is not copied, or not as it should be. */
  | { readonly type: 'copy.problem'; readonly problem: Problem }
  /** Its cause is gone. */
  | { readonly type: 'copy.problem.ended'; readonly problem: Problem }
