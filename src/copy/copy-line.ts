import type { CopyState } from '../driver/facet/copy.ts'
import { type KnownCopy, wholeCopyOf } from './whole-copy.ts'

/** What an outage means for a collection, for people and programs. */
export interface CopyLine {
  readonly collection: string
  /** The rows are readable and writable in an outage. */
  readonly isWhole: boolean
  /** No part is older, in milliseconds since 1970; null: not whole. */
  readonly asOfMs: number | null
  readonly rows: number
  readonly bytes: number
  /** Why it is not copied, or not whole yet, as a clause ("it takes 2.1 GB, and COPY_MAX_BYTES is 256 MB"); null: it is whole. */
  readonly why: string | null
}

/**
 * What an outage means for a collection. `fallback`: null where none is open. `target`: where the declared primary is.
 * `whyNot`: why it is not copied; null where nothing keeps it from being.
 */
export function copyLineOf(
  fallback: KnownCopy | null,
  collection: string,
  target: string | null,
  whyNot: (collection: string) => string | null,
): CopyLine {
  const whole = fallback === null ? null : wholeCopyOf(fallback, collection, target)
  const state = fallback?.copy?.state(collection) ?? null
  const { rows = 0, bytes = 0 } = state ?? {}
  if (whole !== null) return { collection, isWhole: true, asOfMs: whole.asOfMs, rows, bytes, why: null }
  const why = whyNot(collection) ?? whyNotWhole(state, fallback?.copy?.source()?.target === target)
  return { collection, isWhole: false, asOfMs: null, rows, bytes, why }
}

function whyNotWhole(state: CopyState | null, isOfTarget: boolean): string {
  if (state === null) return 'it is not copied yet'
  if (!isOfTarget) return 'what was copied is from another database'
  if (!state.isSwept) return 'it is being copied'
  return state.isVerified ? 'it is being compared with the primary' : 'rows of it are to be compared with the primary'
}

/** The same for programs. */
export interface CopyStatus {
  readonly collection: string
  readonly complete: boolean
  /** RFC 3339; null: it is not complete. */
  readonly asOf: string | null
  readonly rows: number
  readonly bytes: number
  readonly why: string | null
}

/** What programs read. */
export function copyStatusOf({ collection, isWhole, asOfMs, rows, bytes, why }: CopyLine): CopyStatus {
  const asOf = asOfMs === null ? null : new Date(asOfMs).toISOString()
  return { collection, complete: isWhole, asOf, rows, bytes, why }
}

/** What an outage means, for a person: "1,204 rows, complete, 9 s old: readable and writable". `isWritable`: the fallback accepts writes. */
export function copySentence({ isWhole, asOfMs, rows, why }: CopyLine, nowMs: number, isWritable: boolean): string {
  if (isWhole && asOfMs !== null) {
    const count = rows === 1 ? '1 row' : `${rows.toLocaleString('en-US')} rows`
    return `${count}, complete, ${ageText(nowMs - asOfMs)} old: ${isWritable ? 'readable and writable' : 'readable'}`
  }
  const what = isWritable ? 'new rows only' : 'no rows'
  return `${rows === 0 ? 'not copied' : 'not copied whole'}: ${what} (${why ?? 'it is not copied yet'})`
}

/** `9 s`, `4 min`, `3 h`, `2 d`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`
}
