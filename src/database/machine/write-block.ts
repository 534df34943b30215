import type { Facts } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'

/**
 * Why a fallback beside a declared primary takes no writes: FALLBACK_MODE says so, or nothing could ever carry them,
 * because our own tables are not in the primary or are of a later release.
 */
export type WriteBar = 'setting' | 'tables-absent' | 'format-newer'

const words: Readonly<Record<WriteBar, { readonly detail: string; readonly hint?: string }>> = {
  setting: { detail: 'The fallback serves, and FALLBACK_MODE is read-only.' },
  'tables-absent': {
    detail:
      "The fallback serves, and takes no writes: Holdfast's own tables are not in the primary, so nothing could carry them there.",
    hint: 'GET /status, with the admin token, has the SQL and the grants.',
  },
  'format-newer': {
    detail:
      "The fallback serves, and takes no writes: Holdfast's own tables in the primary are of a later release than this one.",
    hint: 'Run the later release everywhere.',
  },
}

/** What a write is answered with while it is barred. */
export function barredError(bar: WriteBar): HoldfastError {
  return new HoldfastError('STORE_READ_ONLY', { ...words[bar], retryAfterS: 1 })
}

/** The same for people who look after the service, in one sentence. */
export function barSentence(bar: WriteBar): string {
  switch (bar) {
    case 'setting':
      return 'The fallback takes no writes: FALLBACK_MODE is read-only.'
    case 'tables-absent':
      return "The fallback takes no writes: Holdfast's own tables are not in the primary, so nothing could carry them there."
    case 'format-newer':
      return "The fallback takes no writes: Holdfast's own tables in the primary are of a later release."
  }
}

/** What the primary's own words mean for the writes of its fallback. Nothing is known before it was first reached. */
export function barOf(facts: Facts | null): WriteBar | null {
  switch (facts?.ownTables) {
    case 'absent':
      return 'tables-absent'
    case 'newer':
      return 'format-newer'
    default:
      return null
  }
}
