import { dirname } from 'node:path'
import { freeBytes } from '../disk/data-directory.ts'
import type { Journal } from '../driver/facet/journal.ts'

/** What the settings say about journals. */
export interface JournalSettings {
  /** How long carried entries are kept. */
  readonly keepS: number
  /** The most bytes of entries that wait. */
  readonly maxBytes: number
}

/** The limit of a journal in that file (null: unknown): the setting, or half of the free disk where that is less. Never throws. */
export async function journalLimit({ maxBytes }: JournalSettings, path: string | null): Promise<number> {
  const free = path === null ? null : await freeBytes(dirname(path))
  return free === null ? maxBytes : Math.min(maxBytes, Math.floor(free / 2))
}

/**
 * Deletes carried entries that are older than the settings keep; all of them once half of the limit waits, so that what was
 * carried never takes the room of what was not. `limitBytes` is what `journalLimit` gave.
 */
export async function pruneJournal(
  journal: Journal,
  { keepS }: JournalSettings,
  limitBytes: number,
  wallMs: number,
): Promise<void> {
  const isScarce = journal.counts().bytes > limitBytes / 2
  await journal.prune(isScarce ? wallMs : wallMs - keepS * 1_000)
}
