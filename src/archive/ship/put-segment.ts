import { sha256Hex } from '../format/packing.ts'
import type { SegmentHead } from '../format/records.ts'
import { type ArchiveTarget, TargetError } from '../target/target.ts'
import { headOf } from './chain.ts'

/** What is stored under a number that was to be put. */
export interface TakenNumber {
  readonly hash: string
  /** Null: it cannot be read. */
  readonly head: SegmentHead | null
}

/**
 * Puts a segment. `stored`: it is there, be it that an earlier try has put it and its answer was lost. Otherwise what has its
 * number. Rejects with a TargetError.
 */
export async function putSegment(
  target: ArchiveTarget,
  key: string,
  segment: { readonly bytes: Uint8Array; readonly hash: string },
  signal?: AbortSignal,
): Promise<'stored' | TakenNumber> {
  if ((await target.putNew(key, segment.bytes, signal)) === 'stored') return 'stored'
  const there = await target.get(key, signal)
  if (there === null) {
    const hint = 'Another program may remove objects of this archive. Give each archive a prefix of its own.'
    throw new TargetError('odd', `The target reports that ${key} exists, and does not have it.`, hint)
  }
  const hash = await sha256Hex(there)
  return hash === segment.hash ? 'stored' : { hash, head: headOrNull(key, there) }
}

/** Null where the object cannot be read, also where a newer release wrote it: its name is taken all the same. */
function headOrNull(key: string, bytes: Uint8Array): SegmentHead | null {
  try {
    return headOf(key, bytes)
  } catch {
    return null
  }
}
