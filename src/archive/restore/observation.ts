import type { Problem } from '../../config/problem.ts'
import type { ChainStop } from './chain.ts'

/** What restores do, at a start and as a test; for the log and the metrics. */
export type RestoreObservation =
  | {
      readonly type: 'restore.began'
      readonly label: string
      readonly why: 'absent' | 'damaged'
      /** Where the damaged file is now. */
      readonly aside: string | null
    }
  /** Not yet: the archive does not answer, or refuses. Once for each reason. */
  | { readonly type: 'restore.failed'; readonly problem: Problem }
  | {
      readonly type: 'restore.ended'
      readonly label: string
      readonly rows: number
      readonly tables: number
      /** Bytes that were read of the archive. */
      readonly bytes: number
      readonly tookMs: number
      /** The last segment, and when its last change was committed. */
      readonly number: number
      readonly at: string
      readonly end: ChainStop['why']
    }
  /** `nothing`: the archive holds no rows of this store. `unused`: what it holds could not be used, or not in time. */
  | { readonly type: 'restore.skipped'; readonly label: string; readonly why: 'nothing' | 'unused' }
  /** The archive was restored as a test, and has what it is meant to have. */
  | { readonly type: 'drill.passed'; readonly label: string; readonly rows: number; readonly tookMs: number }
  /** It could not be tried. */
  | { readonly type: 'drill.failed'; readonly problem: Problem }
