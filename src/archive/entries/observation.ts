import type { Problem } from '../../config/problem.ts'

/** What is reported of journals' entries in the archive. No secret, and no value of a row. */
export type EntriesObservation =
  /** Entries of another process were carried to the primary, and their objects are gone. */
  | {
      readonly type: 'entries.carried'
      /** The archive's. */
      readonly label: string
      readonly process: string
      readonly entries: number
      readonly objects: number
      readonly tookMs: number
    }
  /** The archive does not take entries, or does not give those of others; tried again. */
  | { readonly type: 'entries.failed'; readonly label: string; readonly problem: Problem; readonly error: unknown }
  /** It does again. */
  | { readonly type: 'entries.resumed'; readonly label: string }
  /** Entries of another process that cannot be carried now; they are kept. */
  | { readonly type: 'entries.kept'; readonly label: string; readonly problem: Problem }
