import { join, parse } from 'node:path'
import type { Life, Role, Target } from '../../src/driver/address.ts'
import { archivedLife, type Origin } from '../../src/driver/kit/driver-kit.ts'

/** How commits are made durable: see `sync.ts`. `auto`: `async` where the file system is known to sync reliably. */
export type SyncMode = 'auto' | 'async' | 'full'

/** How the file keeps its journal. */
export type JournalMode = 'wal' | 'delete'

/** One file that may be used, and the folder that it must not leave. */
export interface FileLocation {
  readonly file: string
  /** Absolute; symbolic links that point outside are refused when the file is opened. */
  readonly root: string
}

/** A validated SQLite address. */
export interface SqliteTarget extends Target {
  readonly role: Role
  /** To be named in problems that only opening can find. */
  readonly setting: string
  readonly origin: Origin | null
  /** In the order to try; empty for `:memory:`. */
  readonly locations: readonly FileLocation[]
  /** What the file is for; null where it is used whatever it is for: a primary, or a file that a person named. */
  readonly life: Life | null
  /**
   * A person named this file, to have what is in it carried: it must exist, is opened even if it is damaged, and is neither
   * moved nor replaced.
   */
  readonly isNamed: boolean
  /** Whether tables of our own may be made in it. */
  readonly mayMakeTables: boolean
  /** A file of our own in the temporary directory, removed at close. */
  readonly isMemory: boolean
  readonly journalMode: JournalMode
  /** Its changes are archived: only we carry its WAL into the main file. */
  readonly isArchived: boolean
  readonly sync: SyncMode
}

/** The files that a target may use, in the order to try them: in each folder the configured one, and the one next to it. */
export function filesOf({ locations, life }: SqliteTarget): readonly string[] {
  return locations.flatMap(({ file }) => (life === null ? [file] : [file, besideOf(file, life)]))
}

/** The file of this life where the configured one has the other: `rows.db` and `rows.fallback.db`. */
export function besideOf(file: string, life: Life): string {
  const { dir, name, ext } = parse(file)
  return /^\.(?:db3?|sqlite3?|s3db)$/i.test(ext) ? join(dir, `${name}.${life}${ext}`) : `${file}.${life}.db`
}

/** Why the changes of the file cannot be archived, as a sentence; null where they can. */
export function refusalOf({ isMemory, life, journalMode }: SqliteTarget): string | null {
  if (isMemory) return 'A database in memory is not archived; name a file.'
  if (life !== archivedLife)
    return 'Only the file of a local store is archived; this one is a primary, or stands next to one.'
  if (journalMode !== 'wal') return 'A file with a rollback journal cannot be archived; remove "journal_mode=DELETE".'
  return null
}

/** Marks the files that we made (`pragma application_id`): "Hold" in ASCII. */
export const applicationId = 0x486f6c64

/** A path without what may be a secret in it. */
export function maskPath(path: string): string {
  return path.replace(/[^/\\]*@/g, '***@')
}
