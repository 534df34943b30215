import type { Driver, Facts } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'

/**
 * Why a fallback next to a declared primary accepts no writes: FALLBACK_MODE says so, or nothing could ever carry them,
 * because the primary's driver cannot replay a journal, the fallback's cannot keep one, or our own tables are missing
 * from the primary or belong to a later release. `split`: two servers accept writes, so no one knows which of them a
 * journal would be carried to.
 */
export type WriteBlock = 'setting' | 'no-replay' | 'no-journal' | 'split' | 'tables-absent' | 'format-newer'

const words: Readonly<Record<WriteBlock, { readonly detail: string; readonly hint?: string }>> = {
  setting: { detail: 'The fallback accepts no writes: FALLBACK_MODE is read-only.' },
  'no-replay': {
    detail: 'The fallback accepts no writes: nothing can carry them to a primary of this kind.',
    hint: 'Only the primary accepts writes. Use PostgreSQL, MariaDB or MySQL to have a fallback that does, too.',
  },
  'no-journal': {
    detail: 'The fallback accepts no writes: its driver keeps no journal of them for the primary.',
    hint: 'Use SQLite in FALLBACK_DATABASE_URL.',
  },
  split: {
    detail:
      'The fallback accepts no writes: two servers of the primary’s cluster accept writes at the same time, and neither can be trusted.',
    hint: 'Stop one of them. Writes work again within seconds.',
  },
  'tables-absent': {
    detail:
      "The fallback accepts no writes: the primary has none of Holdfast's own tables, so nothing could carry them there.",
    hint: 'GET /status with the admin token shows the SQL and the grants.',
  },
  'format-newer': {
    detail: "The fallback accepts no writes: Holdfast's own tables in the primary belong to a later release.",
    hint: 'Run the later release everywhere.',
  },
}

/** The error for a write while writes are blocked. */
export function writeBlockedError(block: WriteBlock): HoldfastError {
  return new HoldfastError('STORE_READ_ONLY', { ...words[block], retryAfterS: 1 })
}

/** The reason in one sentence, for log, health and page. */
export function writeBlockSentence(block: WriteBlock): string {
  return words[block].detail
}

/** What the drivers of primary and fallback mean for writes on the fallback. An unusable primary has none and blocks nothing. */
export function driverBlockOf(primary: Driver | undefined, fallback: Driver | undefined): WriteBlock | null {
  if (fallback === undefined) return null
  if (primary !== undefined && primary.replays !== true) return 'no-replay'
  return fallback.journals === true ? null : 'no-journal'
}

/** What the facts about the primary mean for writes on its fallback. Null also before it was first reached. */
export function writeBlockOf(facts: Facts | null): WriteBlock | null {
  switch (facts?.ownTables) {
    case 'absent':
      return 'tables-absent'
    case 'newer':
      return 'format-newer'
    default:
      return null
  }
}
