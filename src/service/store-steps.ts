import { lastWrites } from '../collection/row/last-writes.ts'
import { carriedTablesOf } from '../collection/table/carried-table.ts'
import { ensureTables, type TableReports } from '../collection/table/tables.ts'
import type { State } from '../database/machine/state.ts'
import { systemClock } from '../database/store/clock.ts'
import type { Store } from '../database/store/store.ts'
import type { StoreSteps } from '../database/supervisor/steps.ts'
import type { Supervisor } from '../database/supervisor/supervisor.ts'
import type { Journal } from '../driver/facet/journal.ts'
import { Conflicts } from '../journal/conflict/conflicts.ts'
import { tablesByName } from '../journal/judge.ts'
import { PrimaryPast } from '../journal/past/primary-past.ts'
import { Replayer } from '../journal/replayer.ts'
import { journalLimit, pruneJournal } from '../journal/upkeep.ts'
import type { Observation } from '../observe/observation.ts'
import type { ActiveConfig } from './active-config.ts'
import type { ArchiveService } from './archiving/archive-service.ts'
import type { Copying } from './copying/copying.ts'
import type { OwnEntities } from './own-entities.ts'
import { identityIn } from './primary-identity.ts'

/** What the steps need. */
export interface StepParts {
  readonly active: () => ActiveConfig
  readonly supervisor: () => Supervisor
  readonly tables: TableReports
  readonly replayer: Replayer
  readonly past: PrimaryPast
  readonly entities: OwnEntities
  readonly copying: Copying
  readonly archiving: ArchiveService
  readonly observe: (seen: Observation) => void
}

/** What the supervisor has the modules above the database do: tables, and the journal. */
export function createSteps(parts: StepParts): StoreSteps {
  const owed = ({ journal }: Store): number => journal?.counts().entries ?? 0
  return {
    restore: (signal) => parts.archiving.restore(signal),
    prepare: async (store) => {
      await prepareTables(parts, store)
      await limitJournal(parts, store)
      if (store.role !== 'primary') return
      await parts.past.opened(store)
      for (const problem of parts.entities.prepare(store)) parts.observe({ type: 'problem.found', problem })
    },
    lacks: (store) => (parts.tables.of(store)?.unusable.size ?? 0) > 0,
    owed,
    carry: async (from, to, tail, signal) => {
      // Without our tables there is nothing to address a journal to; one that waits fails, and is tried again.
      if (identityIn(parts.supervisor(), to) === undefined && owed(from) === 0) return
      await parts.replayer.carry(from, to, tail, signal)
    },
    serve: ({ journal }, isServing) => journal?.serve(isServing),
    rest: async ({ journal }, signal) => await journal?.rest(signal),
    stood: (primary, standing) => parts.past.stood(primary, standing),
    leave: (store, drained, withinMs) => parts.archiving.leave(store, drained, withinMs),
    changed: (state) => {
      parts.past.changed(state)
      parts.copying.changed(state)
      parts.archiving.changed(state)
    },
    returned: async (fallback) => {
      await parts.copying.returned(fallback)
      await limitJournal(parts, fallback)
    },
  }
}

/** What carries the journals of these collections' tables. */
export function createReplayer({
  active,
  supervisor,
  observe,
  past,
}: Pick<StepParts, 'active' | 'supervisor' | 'observe' | 'past'>): Replayer {
  return new Replayer({
    tables: () => carriedTablesOf(active().collections),
    observe,
    identityOf: (primary) => identityIn(supervisor(), primary),
    past,
  })
}

/** What the primaries of a service were seen to be, and to have of its collections. */
export function createPast({
  active,
  supervisor,
  observe,
}: Pick<StepParts, 'active' | 'supervisor' | 'observe'>): PrimaryPast {
  return new PrimaryPast({
    clock: systemClock,
    find: async (primary, table, ids) => {
      const served = active().served.get(table)
      return served === undefined ? null : await lastWrites(served.access, primary, ids)
    },
    journalFor: (primary) => {
      const journal = supervisor().fallback?.journal ?? null
      return journal !== null && journal.identity === identityIn(supervisor(), primary) ? journal : null
    },
    carryAgain: () => supervisor().carry(),
    observe,
  })
}

async function prepareTables({ active, tables, observe }: StepParts, store: Store): Promise<void> {
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
  for (const problem of report.problems) if (!known.has(problem.message)) observe({ type: 'problem.found', problem })
}

/** The limit of what may wait, and the end of what was kept long enough. */
async function limitJournal({ active }: StepParts, { journal, facts }: Store): Promise<void> {
  if (journal === null) return
  const settings = active().found.resolved.settings.journal
  const limitBytes = await journalLimit(settings, facts.path)
  journal.setLimit(limitBytes)
  await pruneJournal(journal, settings, limitBytes, Date.now())
}

/** The journal of the fallback next to the primary that serves, while anything in it waits to be carried; else null. */
export function unreplayedJournal(state: State<Store>): Journal | null {
  if (state.name !== 'PRIMARY_CONNECTED' || state.carrying.step === 'none' || state.standby.status !== 'open')
    return null
  const { journal } = state.standby.store
  return journal !== null && journal.counts().entries > 0 ? journal : null
}

/** What is parked in the store that serves; null where that is not a primary that accepts what a journal carries. */
export function openConflicts(store: Store | null, active: ActiveConfig): Conflicts | null {
  if (store === null || store.role !== 'primary' || store.replay === null || store.facts.ownTables !== 'ours')
    return null
  return new Conflicts(store, store.replay, tablesByName(carriedTablesOf(active.collections)))
}
