import type { Problem } from '../../config/problem.ts'
import type { ExportSummary } from './exporter.ts'

/** What is reported of exports. No secret, and no value of a row. */
export type ExportObservation =
  /** Every collection is below `tables/` of the archive. */
  | ({ readonly type: 'archive.exported'; readonly label: string; readonly tookMs: number } & ExportSummary)
  /** An export ended before; it is tried again. */
  | {
      readonly type: 'archive.export-failed'
      readonly label: string
      readonly problem: Problem
      readonly error: unknown
    }
