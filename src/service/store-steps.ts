import type { RowsLeft } from '../collection/row/left-rows.ts'
import { ensureTables, type TableReports } from '../collection/table/tables.ts'
import type { Store } from '../database/store/store.ts'
import { emptySteps, type StoreSteps } from '../database/supervisor/steps.ts'
import type { Observation } from '../observe/observation.ts'
import type { Snapshot } from './active-config.ts'

/** What the steps work with. */
export interface StepParts {
  readonly snapshot: () => Snapshot
  readonly tables: TableReports
  readonly left: RowsLeft
  readonly observe: (seen: Observation) => void
}

/**
 * The rooms above the database, as the supervisor calls them. Nothing is owed or carried before there is a journal; what
 * is left behind is counted where it would be carried.
 */
export function createSteps({ snapshot, tables, left, observe }: StepParts): StoreSteps {
  const countLeft = async (fallback: Store): Promise<void> => {
    const { collections, found } = snapshot()
    if (!found.config.declared) return left.forget()
    const rows = await left.count(fallback, collections)
    if (rows.total > 0) observe({ type: 'rows.left', label: fallback.label, rows })
  }
  return {
    ...emptySteps,
    prepare: async (store) => {
      const before = tables.of(store)
      if (before === undefined) for (const problem of store.facts.problems) observe({ type: 'problem.found', problem })
      const { collections, found } = snapshot()
      const { schemaApply, connectionTimeoutS } = found.resolved.settings.database
      // Only a primary is somebody else's: in the files that are ours tables are always made.
      const apply = store.role === 'primary' ? schemaApply : 'additive'
      const report = await ensureTables(store, collections, apply, AbortSignal.timeout(connectionTimeoutS * 1000))
      tables.set(store, report)
      const told = new Set(before?.problems.map(({ message }) => message))
      for (const problem of report.problems) if (!told.has(problem.message)) observe({ type: 'problem.found', problem })
    },
    lacks: (store) => (tables.of(store)?.unusable.size ?? 0) > 0,
    owes: async (fallback) => {
      await countLeft(fallback)
      return false
    },
    carry: async (from, _to, tail) => {
      if (tail === 0) await countLeft(from)
    },
  }
}
