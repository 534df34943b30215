import type { Role, Target } from '../../src/driver/address.ts'
import type { Origin } from '../../src/driver/kit/driver-kit.ts'

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
  /** A file of our own in the temporary directory, removed at close. */
  readonly isMemory: boolean
  readonly journalMode: JournalMode
  readonly sync: SyncMode
}

/** Marks the files that we made (`pragma application_id`): "Hold" in ASCII. */
export const applicationId = 0x486f6c64

/** A path without what may be a secret in it. */
export function maskPath(path: string): string {
  return path.replace(/[^/\\]*@/g, '***@')
}
