import type { Facts } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'

/**
 * Why a fallback next to a declared primary accepts no writes: FALLBACK_MODE says so, or nothing could ever carry them,
 * because our own tables are missing from the primary or belong to a later release.
 */
export type WriteBlock = 'setting' | 'tables-absent' | 'format-newer'

const words: Readonly<Record<WriteBlock, { readonly detail: string; readonly hint?: string }>> = {
  setting: { detail: 'The fallback accepts no writes: FALLBACK_MODE is read-only.' },
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
