import { sha256Hex } from '../format/packing.ts'
import { readSegmentHead, readSegmentPayload } from '../format/segment.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { loadAhead } from './ahead.ts'
import { Chain, type ChainLink, type ChainPlace, type ChainStop } from './chain.ts'
import { isDamage, readObject } from './objects.ts'
import type { RestoreBase, SegmentObject } from './plan.ts'

/** Segments are small and far away: many at once, and not more than memory allows. */
const aheadOfSegments = { atOnce: 8, bytes: 16 * 1024 ** 2 }

/** What following the segments needs. */
export interface FollowParts {
  readonly target: ArchiveTarget
  readonly signal: AbortSignal
  /** Called with each payload that is to be applied, in order. */
  apply(payload: Uint8Array, link: ChainLink): Promise<void>
  /** Called after each segment that was read, with the bytes of its object. */
  read?(bytes: number): void
}

/** How far the segments behind a snapshot lead. */
export interface Followed {
  readonly place: ChainPlace
  readonly end: ChainStop
}

interface Loaded {
  readonly link: ChainLink
  readonly payload: Uint8Array | null
}

/** Reads the segments behind a snapshot in order, verified, for as long as each follows the one before. */
export async function followSegments(parts: FollowParts, base: RestoreBase, atMs: number | null): Promise<Followed> {
  const { target, signal } = parts
  const chain = new Chain(base.manifest, atMs)
  let end: ChainStop = base.missing === null ? { why: 'complete' } : { why: 'missing', number: base.missing }
  const load = (segment: SegmentObject, limited: AbortSignal): Promise<Loaded | ChainStop> => {
    return loadSegment(target, segment, limited)
  }
  for await (const loaded of loadAhead(base.segments, aheadOfSegments, signal, load)) {
    const step = 'why' in loaded ? loaded : chain.next(loaded.link)
    if ('why' in step) {
      end = step
      break
    }
    for (const link of step) await parts.apply(await payloadOf(parts, link, loaded), link)
    if ('link' in loaded) parts.read?.(loaded.link.segment.bytes)
  }
  return { place: chain.place, end: chain.ended(end) }
}

/** The parts of one large transaction may be too much to keep: those before the last are read once more. */
async function payloadOf(
  { target, signal }: FollowParts,
  link: ChainLink,
  loaded: Loaded | ChainStop,
): Promise<Uint8Array> {
  const { segment, hash } = link
  const current = 'link' in loaded && loaded.link === link ? loaded : await loadSegment(target, segment, signal)
  if ('why' in current || current.link.hash !== hash || current.payload === null)
    throw new Error(`The object ${segment.key} changed while it was read.`)
  return current.payload
}

async function loadSegment(
  target: ArchiveTarget,
  segment: SegmentObject,
  signal: AbortSignal,
): Promise<Loaded | ChainStop> {
  const { key, number } = segment
  try {
    const loaded = await readObject(target, key, signal, async (bytes): Promise<Loaded> => {
      const head = readSegmentHead(key, bytes)
      const [hash, payload] = await Promise.all([sha256Hex(bytes), readSegmentPayload(key, bytes)])
      return { link: { segment, head, hash }, payload }
    })
    return loaded ?? { why: 'missing', number }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { why: 'damaged', number, key, message: error.message }
  }
}
