import type { Problem } from '../config/problem.ts'

/** When the archive was last restored as a test, and what that showed. */
export interface LastDrill {
  readonly atMs: number
  readonly rows: number
  readonly tookMs: number
  /** Why it failed, as a sentence; null: it did not. */
  readonly failure: string | null
}

/** Progress of a restore. */
export interface RestoreProgress {
  readonly bytes: number
  /** Null: not known yet. */
  readonly ofBytes: number | null
}

/**
 * The archive as it stands, from memory. `idle`: nothing to archive yet. `shipping`: all is well. `waiting`: the target does not
 * answer; tried again. `fenced`: another process has taken over. `refused`: the prefix is another store's, or of a newer format.
 */
export interface ArchiveState {
  /** No secret. */
  readonly label: string
  readonly phase: 'idle' | 'restoring' | 'shipping' | 'waiting' | 'fenced' | 'refused'
  /** How old the oldest change is that is not in the archive, in seconds; 0: all is there. Null: unknown, or there is no base yet. */
  readonly lagS: number | null
  /** The last object that was stored: its key and time. */
  readonly last: { readonly key: string; readonly atMs: number } | null
  /** Since the process began. */
  readonly storedBytes: number
  readonly storedObjects: number
  readonly failures: number
  /** In the local spool. */
  readonly spoolBytes: number
  /** When the newest complete snapshot was made. */
  readonly snapshotAtMs: number | null
  readonly drill: LastDrill | null
  readonly restore: RestoreProgress | null
  readonly problems: readonly Problem[]
}
