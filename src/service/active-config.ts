import type { EntitySchema } from '@mikro-orm/core'
import type { Collection } from '../collection/declaration/declaration.ts'
import { checkCollections, type LoadedCollections, loadCollections } from '../collection/declaration/load.ts'
import { Rows, type RowsDeps } from '../collection/row/rows.ts'
import { entityOf } from '../collection/table/entity.ts'
import type { Problem } from '../config/problem.ts'
import { type ConnectionSettings, connectionSettingsOf } from '../database/machine/connection-settings.ts'
import type { Resolved } from './resolve.ts'

/** Everything that is in force at one moment; a reload makes a new one. */
export interface Snapshot {
  readonly found: Resolved
  readonly connection: ConnectionSettings
  readonly collections: readonly Collection[]
  /** By the collection's name. */
  readonly rows: ReadonlyMap<string, Rows>
  /** Of the collections and of the application. */
  readonly entities: readonly EntitySchema[]
  /** Those that are not of the resolution: of the collections, and of settings that wait for a restart. */
  readonly ownProblems: readonly Problem[]
  /** All of them. */
  readonly problems: readonly Problem[]
}

/** What snapshots are made with, the same each time. */
export interface SnapshotParts {
  readonly rows: RowsDeps
  readonly entities: readonly EntitySchema[]
  readonly echo: (sql: string) => void
}

/** Where the collections are: a folder, or themselves, or nowhere. */
export async function readCollections(
  given: string | readonly Collection[] | undefined,
  cwd: string,
  explicit: boolean,
): Promise<LoadedCollections> {
  if (given === undefined) return { collections: [], problems: [] }
  return typeof given === 'string' ? await loadCollections(given, cwd, explicit) : checkCollections(given)
}

/** Puts together what is in force. The databases are not touched. */
export function createSnapshot(found: Resolved, loaded: LoadedCollections, parts: SnapshotParts): Snapshot {
  const { collections } = loaded
  return {
    found,
    connection: connectionSettingsOf(found.resolved.settings, parts.echo),
    collections,
    rows: new Map(collections.map((collection) => [collection.name, new Rows(collection, parts.rows)])),
    entities: [...collections.map(entityOf), ...parts.entities],
    ownProblems: loaded.problems,
    problems: [...found.problems, ...loaded.problems],
  }
}
