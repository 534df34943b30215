import type { DatabaseConfig } from '../database/address/config.ts'
import type { CopyView } from '../driver/facet/copy.ts'
import { doubtOf } from './doubts.ts'

/**
 * How far the clocks that made two ids may differ, and how long a transaction may take: a row may turn up behind ids that are
 * so much younger.
 */
export const overlapMs = 60_000

/** A table of which every row has been copied. */
export interface WholeCopy {
  /** No part of it is older, in milliseconds since 1970. */
  readonly asOfMs: number
  /** Another one as soon as more was copied. */
  readonly polled: string
  /** Whether a row of this id would be here: it is old enough to have been looked for. */
  knows(id: string): boolean
}

/** A fallback with its copy, as far as it is known whether the copy may be answered from. */
export interface KnownCopy {
  readonly copy: CopyView | null
  /** The journal; `identity`: of the primary that it is addressed to. */
  readonly journal: { readonly identity: string | null } | null
}

/**
 * The copy of a table in the fallback, as far as it may be answered from; null: it is not whole. `target`: where the declared
 * primary is; null: not known. `columns`: those that an answer has. `isGiven`: clients give the ids, so that a row may be newer than
 * its id says, and polls miss it. From memory.
 */
export function wholeCopyOf(
  { copy, journal }: KnownCopy,
  table: string,
  target: string | null,
  columns: readonly string[] = [],
  isGiven = false,
): WholeCopy | null {
  if (copy === null || journal === null) return null
  const source = copy.source()
  if (source === null || source.target !== target || source.identity !== journal.identity) return null
  const state = copy.state(table)
  if (state === null || !state.isSwept || !state.isVerified || state.asOfMs === null || state.polled === null)
    return null
  if (doubtOf(copy, table) !== null) return null
  if (columns.some((name) => !state.columns.includes(name))) return null
  const polledMs = idTimeMs(state.polled) ?? 0
  const asOfMs = Math.min(state.asOfMs, polledMs)
  const lookedMs = isGiven ? asOfMs : polledMs
  return {
    asOfMs,
    polled: state.polled,
    knows(id) {
      const madeMs = idTimeMs(id)
      return madeMs !== null && madeMs < lookedMs - overlapMs
    },
  }
}

/** Where the declared primary is, as `CopySource.target`; null: none is declared that can be used. */
export function copyTargetOf({ primary }: DatabaseConfig): string | null {
  return primary === null ? null : primary.driver.describe(primary.target)
}

/** The time in a UUIDv7, in milliseconds since 1970; null for any other id, whose age is not known. */
export function idTimeMs(id: string): number | null {
  return id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : null
}
