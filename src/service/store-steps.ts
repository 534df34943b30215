import type { RowsLeft } from '../collection/row/left-rows.ts'
import { ensureTables, type TableReports } from '../collection/table/tables.ts'
import type { Store } from '../database/store/store.ts'
import { emptySteps, type StoreSteps } from '../database/supervisor/steps.ts'
import type { Observation } from '../observe/observation.ts'
import type { ActiveConfig } from './active-config.ts'

/** What the steps need. */
export interface StepParts {
  readonly active: () => ActiveConfig
  readonly tables: TableReports
  readonly left: RowsLeft
  readonly observe: (seen: Observation) => void
}

/**
 * What the supervisor has the modules above the database do. Without a journal nothing is owed or carried; the rows left
 * behind in the fallback are counted where they would be carried.
 */
export function createSteps({ active, tables, left, observe }: StepParts): StoreSteps {
  const countLeft = async (fallback: Store): Promise<void> => {
    const { collections, found } = active()
    if (!found.config.declared) return left.forget()
    const rows = await left.count(fallback, collections)
    if (rows.total > 0) observe({ type: 'rows.left', label: fallback.label, rows })
  }
  return {
    ...emptySteps,
    prepare: async (store) => {
      const before = tables.of(store)
      if (before === undefined) for (const problem of store.facts.problems) observe({ type: 'problem.found', problem })
      const { collections, found } = active()
      const { schemaApply, connectionTimeoutS } = found.resolved.settings.database
      // SCHEMA_APPLY protects a primary, which others use too; in Holdfast's own files tables are always created.
      const apply = store.role === 'primary' ? schemaApply : 'additive'
      const report = await ensureTables(
        store,
        collections,
        apply,
        AbortSignal.timeout(connectionTimeoutS * 1000),
        tables.known(store, collections),
      )
      tables.set(store, report)
      const known = new Set(before?.problems.map(({ message }) => message))
      for (const problem of report.problems)
        if (!known.has(problem.message)) observe({ type: 'problem.found', problem })
    },
    lacks: (store) => (tables.of(store)?.unusable.size ?? 0) > 0,
    owed: (fallback) => fallback.journal?.counts().entries ?? 0,
    serve: (fallback, isServing) => fallback.journal?.serve(isServing),
    rest: async (fallback, signal) => await fallback.journal?.rest(signal),
    carry: async (from, _to, tail) => {
      if (tail === 0) await countLeft(from)
    },
  }
}
