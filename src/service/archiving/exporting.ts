import { DailyExport, type ExportedTables } from '../../archive/export/daily.ts'
import type { ExportObservation } from '../../archive/export/observation.ts'
import type { ArchiveTarget } from '../../archive/target/target.ts'
import type { TableReports } from '../../collection/table/tables.ts'
import type { Clock } from '../../database/store/clock.ts'
import type { Serving } from '../../database/store/store.ts'
import type { ActiveConfig } from '../active-config.ts'
import { exportedTables } from './exported-table.ts'

/** What exports of collections are made with. Functions where a reload replaces what is behind them. */
export interface ExportingParts {
  readonly target: ArchiveTarget
  readonly active: () => Pick<ActiveConfig, 'served'>
  /** ARCHIVE_EXPORT. */
  readonly isWanted: () => boolean
  readonly current: () => Serving | null
  readonly tables: TableReports
  readonly clock: Clock
  /** Whether the archive is this process's. */
  readonly isOurs: () => boolean
  readonly observe: (seen: ExportObservation) => void
}

/** The export of every collection once a day, from whichever database serves, where ARCHIVE_EXPORT asks for it. */
export function createDailyExport(parts: ExportingParts): DailyExport {
  const { target, active, current, tables, isWanted, isOurs, clock, observe } = parts
  return new DailyExport({
    ...{ target, isWanted, observe, clock },
    tables: () => (isOurs() ? tablesOf(current(), active(), tables) : null),
  })
}

/** Null: no database serves that has every row. */
function tablesOf(
  serving: Serving | null,
  { served }: Pick<ActiveConfig, 'served'>,
  tables: TableReports,
): ExportedTables | null {
  const report = serving === null ? undefined : tables.of(serving.store)
  // A fallback may lack rows, and says so for each list.
  if (serving === null || serving.shown === 'fallback' || report === undefined) return null
  const { localRows, facts } = serving.store
  return { ...exportedTables([...served.values()], report), source: localRows?.fileId ?? facts.identity ?? null }
}
