import type { ArchiveState } from '../archive/archive-state.ts'
import { accessText } from '../collection/access/access-text.ts'
import { type Collection, type Operation, operations } from '../collection/declaration/declaration.ts'
import { exampleRow } from '../collection/declaration/example.ts'
import type { TableReports } from '../collection/table/tables.ts'
import type { Problem } from '../config/problem.ts'
import { type CopyLine, copyLineOf } from '../copy/copy-line.ts'
import { copyTargetOf } from '../copy/whole-copy.ts'
import { heldStores } from '../database/machine/state.ts'
import type { Durability } from '../database/store/store.ts'
import { connectionStatusOf } from '../database/supervisor/connection-status.ts'
import type { Supervisor } from '../database/supervisor/supervisor.ts'
import { durabilityOf } from '../database/work/durability.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import type { CollectionLine, StatusSource } from '../http/status/status-source.ts'
import type { PrimaryPast } from '../journal/past/primary-past.ts'
import type { Replayer } from '../journal/replayer.ts'
import type { ActiveConfig } from './active-config.ts'
import type { Copying } from './copying/copying.ts'
import { version } from './version.ts'

/** What the view reads. Functions where a reload replaces what is behind them. */
export interface ViewParts {
  readonly active: () => ActiveConfig
  readonly supervisor: Supervisor
  readonly tables: TableReports
  readonly replayer: Replayer
  readonly past: PrimaryPast
  readonly copying: Copying
  readonly archive: () => ArchiveState | null
  readonly conflicts: () => number
  readonly token: AdminToken
  /** Problems of the process: the data directory, the host. */
  readonly ownProblems: () => readonly Problem[]
  readonly isClosing: () => boolean
}

/** The one view of the service behind health, status, page, metrics and the library's `status()`. From memory. */
export function createStatusView(parts: ViewParts): StatusSource {
  const { supervisor, active } = parts
  const settings = () => active().found.resolved.settings
  const lines = memoized((config: ActiveConfig) => config.found.resolved.lines())
  const collections = memoized((config: ActiveConfig) => config.collections.map(collectionLine))
  return {
    version,
    startedAt: new Date(),
    database: () => connectionStatusOf(supervisor),
    conflicts: parts.conflicts,
    copy: () => copyLines(parts),
    archive: parts.archive,
    lacking: () => unusableNow(parts, 'COLLECTION_UNAVAILABLE'),
    keyless: () => unusableNow(parts, 'PLAN_NEEDED'),
    durability: () => durabilityNow(supervisor),
    policy: () => ({ boot: settings().database.boot, readiness: settings().http.readiness }),
    platform: () => settings().platform,
    settings: () => lines(active()),
    problems: () => problemsOf(parts),
    collections: () => collections(active()),
    adminToken: () => parts.token,
    isClosing: parts.isClosing,
  }
}

/** The durability of a write made now; null when nothing serves, or what serves accepts no writes. */
function durabilityNow({ current, writeBlock }: Supervisor): Durability | null {
  if (current === null || (current.shown === 'fallback' && writeBlock !== null)) return null
  return durabilityOf(current.store, current.shown)
}

function copyLines({ active, supervisor, copying }: ViewParts): readonly CopyLine[] {
  const { config, fallback } = supervisor
  // Without a declared primary the rows are in no other database that could be lost.
  if (!config.declared) return []
  const target = copyTargetOf(config)
  return active().collections.map(({ name }) => copyLineOf(fallback, name, target, (table) => copying.whyNot(table)))
}

function unusableNow(
  { supervisor: { current }, tables }: ViewParts,
  wanted: 'COLLECTION_UNAVAILABLE' | 'PLAN_NEEDED',
): readonly string[] {
  const unusable = current === null ? undefined : tables.of(current.store)?.unusable
  return [...(unusable ?? [])].flatMap(([name, { code }]) => (code === wanted ? [name] : []))
}

/** Those of settings and addresses, of the process, and of each open store. */
function problemsOf({
  active,
  supervisor,
  tables,
  replayer,
  past,
  copying,
  token,
  archive,
  ownProblems,
}: ViewParts): readonly Problem[] {
  const ofStores = heldStores(supervisor.state).flatMap((store) => [
    // Newer than those of the opening: a right may have been granted or revoked since.
    ...((store.role === 'primary' ? supervisor.watch.facts : null) ?? store.facts).problems,
    ...(tables.of(store)?.problems ?? []),
  ])
  const { fallback } = supervisor
  const primary = heldStores(supervisor.state).find(({ role }) => role === 'primary') ?? null
  const ofJournal = fallback === null ? [] : replayer.problems(fallback, primary)
  return [
    ...active().problems,
    ...supervisor.cluster.problems,
    ...token.problems,
    ...ownProblems(),
    ...ofStores,
    ...ofJournal,
    ...past.problems,
    ...copying.problems,
    ...(archive()?.problems ?? []),
  ]
}

function collectionLine(collection: Collection): CollectionLine {
  return {
    name: collection.name,
    path: `/api/${collection.name}`,
    description: collection.description ?? null,
    // An entry for each operation.
    access: Object.fromEntries(operations.map((one) => [one, accessText(collection, one)])) as Record<
      Operation,
      string
    >,
    example: exampleRow(collection),
  }
}

/** Remembers the last result: the same configuration is asked for again and again. */
function memoized<K extends object, V>(make: (key: K) => V): (key: K) => V {
  let last: { readonly key: K; readonly value: V } | null = null
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) }
    return last.value
  }
}
