import { accessTo, type Collection } from '../collection/declaration/declaration.ts'
import { exampleRow } from '../collection/declaration/example.ts'
import type { RowsLeft } from '../collection/row/left-rows.ts'
import type { TableReports } from '../collection/table/tables.ts'
import type { Problem } from '../config/problem.ts'
import { heldStores } from '../database/machine/state.ts'
import type { Durability } from '../database/store/store.ts'
import { connectionStatusOf } from '../database/supervisor/connection-status.ts'
import type { Supervisor } from '../database/supervisor/supervisor.ts'
import { durabilityOf } from '../database/work/durability.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import type { CollectionLine, StatusSource } from '../http/status/status-source.ts'
import type { Snapshot } from './active-config.ts'
import { version } from './version.ts'

/** What the view looks at. Functions, because a reload replaces what is behind them. */
export interface ViewParts {
  readonly snapshot: () => Snapshot
  readonly supervisor: Supervisor
  readonly tables: TableReports
  readonly left: RowsLeft
  readonly token: () => AdminToken
  /** Problems of the process itself: the data directory, the host. */
  readonly ownProblems: () => readonly Problem[]
  readonly isClosing: () => boolean
}

/** The one picture of the service that health, status, page, metrics and the library's `status()` show. From memory. */
export function createStatusView(parts: ViewParts): StatusSource {
  const { supervisor, snapshot } = parts
  const settings = () => snapshot().found.resolved.settings
  const lines = memoized((known: Snapshot) => known.found.resolved.lines())
  const collections = memoized((known: Snapshot) => known.collections.map(collectionLine))
  return {
    version,
    startedAt: new Date(),
    // The supervisor resolves when it is first asked; what is declared is known before.
    database: () => ({ ...connectionStatusOf(supervisor), declared: snapshot().found.config.declared }),
    left: () => parts.left.known,
    lacking: () => lackingNow(parts),
    durability: () => durabilityNow(supervisor),
    policy: () => ({ boot: settings().database.boot, readiness: settings().http.readiness }),
    platform: () => settings().platform,
    settings: () => lines(snapshot()),
    problems: () => problemsOf(parts),
    collections: () => collections(snapshot()),
    adminToken: parts.token,
    isClosing: parts.isClosing,
  }
}

/** What a write would be answered with now; null when nothing serves, or it takes no writes. */
function durabilityNow({ current, writeBlock }: Supervisor): Durability | null {
  if (current === null || (current.shown === 'fallback' && writeBlock !== null)) return null
  return durabilityOf(current.store, current.shown)
}

function lackingNow({ supervisor: { current }, tables }: ViewParts): readonly string[] {
  return current === null ? [] : [...(tables.of(current.store)?.unusable.keys() ?? [])]
}

/** Those of the settings and addresses, of the process, and of each store that is open. */
function problemsOf({ snapshot, supervisor, tables, token, ownProblems }: ViewParts): readonly Problem[] {
  const ofStores = heldStores(supervisor.state).flatMap((store) => [
    // Of a primary more may be known than when it was opened: a grant, or one that was taken back.
    ...((store.role === 'primary' ? supervisor.primaryFacts : null) ?? store.facts).problems,
    ...(tables.of(store)?.problems ?? []),
  ])
  return [...snapshot().problems, ...token().problems, ...ownProblems(), ...ofStores]
}

function collectionLine(collection: Collection): CollectionLine {
  return {
    name: collection.name,
    path: `/api/${collection.name}`,
    description: collection.description ?? null,
    access: {
      create: accessTo(collection, 'create'),
      list: accessTo(collection, 'list'),
      get: accessTo(collection, 'get'),
      update: accessTo(collection, 'update'),
      delete: accessTo(collection, 'delete'),
    },
    example: exampleRow(collection),
  }
}

/** Remembers the last answer: the same snapshot is asked for again and again. */
function memoized<K extends object, V>(make: (key: K) => V): (key: K) => V {
  let last: { readonly key: K; readonly value: V } | null = null
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) }
    return last.value
  }
}
