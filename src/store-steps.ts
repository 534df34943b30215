import { ensureTables, type Tables } from './collection/tables.ts'
import { emptySteps, type StoreSteps } from './database/steps.ts'
import type { Observation } from './observe/observation.ts'
import type { Snapshot } from './snapshot.ts'

/** What the steps work with. */
export interface StepParts {
  readonly snapshot: () => Snapshot
  readonly tables: Tables
  readonly observe: (seen: Observation) => void
}

/** The rooms above the database, as the supervisor calls them. Nothing is owed or carried before there is a journal. */
export function createSteps({ snapshot, tables, observe }: StepParts): StoreSteps {
  return {
    ...emptySteps,
    prepare: async (store) => {
      for (const problem of store.facts.problems) observe({ type: 'problem.found', problem })
      const { collections, found } = snapshot()
      const { schemaApply, connectionTimeoutS } = found.resolved.settings.database
      // Only a primary is somebody else's: in the files that are ours tables are always made.
      const apply = store.role === 'primary' ? schemaApply : 'additive'
      const report = await ensureTables(store, collections, apply, AbortSignal.timeout(connectionTimeoutS * 1000))
      tables.set(store, report)
      for (const problem of report.problems) observe({ type: 'problem.found', problem })
    },
  }
}
