import type { EntitySchema } from '@mikro-orm/core'
import { accessDefect, publicProblems } from '../collection/access/access-problems.ts'
import type { Collection } from '../collection/declaration/declaration.ts'
import { checkCollections, type LoadedCollections, loadCollections } from '../collection/declaration/load.ts'
import type { RowsDeps } from '../collection/row/table-access.ts'
import { entityOf } from '../collection/table/entity.ts'
import type { Problem } from '../config/problem.ts'
import { type ConnectionSettings, connectionSettingsOf } from '../database/machine/connection-settings.ts'
import { type ServedCollection, serveCollections } from '../http/data/served-collection.ts'
import type { Resolution } from './resolve.ts'

/** The configuration in force at one moment. Never changed in place: a reload creates another one. */
export interface ActiveConfig {
  readonly found: Resolution
  readonly connection: ConnectionSettings
  /** Proxies whose `X-Forwarded-For` is trusted: TRUSTED_PROXIES, else 1 in a Space, which has one, else 0. */
  readonly trustedProxies: number
  readonly collections: readonly Collection[]
  /** By the collection's name. */
  readonly served: ReadonlyMap<string, ServedCollection>
  /** Of the collections and of the application. */
  readonly entities: readonly EntitySchema[]
  /** Problems of the collections, and of settings that wait for a restart. */
  readonly ownProblems: readonly Problem[]
  /** These, and those of the resolution. */
  readonly problems: readonly Problem[]
}

/** The most memory in which the collections together keep what was read of them. */
const maxKeptBytes = 8 * 1024 * 1024

/** What every `ActiveConfig` is created with. */
export interface ActiveConfigParts {
  readonly rows: RowsDeps
  readonly entities: readonly EntitySchema[]
  readonly echo: (sql: string) => void
}

/** Loads collections from a folder, or checks those given in code; none when `given` is absent. */
export async function readCollections(
  given: string | readonly Collection[] | undefined,
  cwd: string,
  explicit: boolean,
): Promise<LoadedCollections> {
  if (given === undefined) return { collections: [], problems: [] }
  const { collections, problems } =
    typeof given === 'string'
      ? await loadCollections(given, cwd, explicit, accessDefect)
      : checkCollections(given, accessDefect)
  return { collections, problems: [...problems, ...publicProblems(collections)] }
}

/** Combines a resolution and the collections. Opens nothing. */
export function createActiveConfig(
  found: Resolution,
  loaded: LoadedCollections,
  parts: ActiveConfigParts,
): ActiveConfig {
  const { collections } = loaded
  const rows = { ...parts.rows, keptBytes: Math.floor(maxKeptBytes / Math.max(1, collections.length)) }
  const { settings } = found.resolved
  return {
    found,
    connection: connectionSettingsOf(settings, parts.echo),
    trustedProxies: settings.http.trustedProxies ?? (settings.platform.spaceId === null ? 0 : 1),
    collections,
    served: serveCollections(collections, rows),
    entities: [...collections.map(entityOf), ...parts.entities],
    ownProblems: loaded.problems,
    problems: [...found.problems, ...loaded.problems],
  }
}
