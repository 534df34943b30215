import { ensureTables, type TableReports } from '../collection/table/tables.ts'
import type { State } from '../database/machine/state.ts'
import type { Store } from '../database/store/store.ts'
import { emptySteps, type StoreSteps } from '../database/supervisor/steps.ts'
import type { Journal } from '../driver/facet/journal.ts'
import type { Observation } from '../observe/observation.ts'
import type { ActiveConfig } from './active-config.ts'

/** What the steps need. */
export interface StepParts {
  readonly active: () => ActiveConfig
  readonly tables: TableReports
  readonly observe: (seen: Observation) => void
}

/** What the supervisor has the modules above the database do. */
export function createSteps({ active, tables, observe }: StepParts): StoreSteps {
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
  }
}

/** The journal of the fallback next to the primary that serves, while anything in it waits to be carried; else null. */
export function unreplayedJournal(state: State<Store>): Journal | null {
  if (state.name !== 'PRIMARY_CONNECTED' || state.carrying.step === 'none' || state.standby.status !== 'open')
    return null
  const { journal } = state.standby.store
  return journal !== null && journal.counts().entries > 0 ? journal : null
}
