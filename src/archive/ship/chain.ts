import { FormatError } from '../format/format-error.ts'
import { parseSegmentKey, parseSnapshotKey, rootKey, segmentKey } from '../format/names.ts'
import { sha256Hex } from '../format/packing.ts'
import type { SegmentHead } from '../format/records.ts'
import { readSegmentHead } from '../format/segment.ts'
import type { ArchiveTarget } from '../target/target.ts'

/** The last segment of an archive. */
export interface ChainEnd {
  readonly number: number
  readonly key: string
  /** The SHA-256 of the object as it is there. */
  readonly hash: string
  /** Null: it is damaged. */
  readonly head: SegmentHead | null
  /** The head of the last segment that can be read; null: there is none among the last ones. */
  readonly readable: SegmentHead | null
}

/**
 * Whether names are a fence at this target, asked of the target itself where that is not known: the root record, which is
 * there, is put if absent.
 */
export async function probeFence(target: ArchiveTarget, signal?: AbortSignal): Promise<boolean> {
  if (target.isFencing !== null) return target.isFencing
  const bytes = await target.get(rootKey, signal)
  return bytes !== null && (await target.putNew(rootKey, bytes, signal)) === 'exists'
}

/** How many segments behind a damaged one are tried for a head that can be read. */
const headsTriedMax = 32

/** The end of the chain; null: there is no segment. Rejects with a TargetError, or a FormatError of a newer format. */
export async function readChainEnd(
  target: ArchiveTarget,
  isFencing: boolean,
  signal?: AbortSignal,
): Promise<ChainEnd | null> {
  const last = await (isFencing ? lastFenced(target, signal) : lastOfAny(target, signal))
  if (last === null) return null
  const key = segmentKey(last.number, last.generation)
  const bytes = await target.get(key, signal)
  // Retention or a person removed it between the listing and now.
  if (bytes === null) throw new FormatError('damaged', key, 'was removed while the archive was read')
  const head = headOf(key, bytes)
  const readable = head ?? (await headBefore(target, last, signal))
  return { number: last.number, key, hash: await sha256Hex(bytes), head, readable }
}

/**
 * The newest head before `last` that can be read; null: none. The gap below `last` may be wide: an object that is not ours can
 * have any number.
 */
async function headBefore(target: ArchiveTarget, last: Last, signal?: AbortSignal): Promise<SegmentHead | null> {
  const from = Math.max(0, (await newestSnapshot(target, signal)) - headsTriedMax)
  const folder = segmentKey(0, last.generation).slice(0, -12)
  const keys: string[] = []
  for await (const page of target.list(folder, segmentKey(from, last.generation), signal))
    for (const { key } of page) {
      const name = parseSegmentKey(key)
      if (name?.generation === last.generation && name.number < last.number) keys.push(key)
    }
  for (const key of keys.slice(-headsTriedMax).reverse()) {
    const bytes = await target.get(key, signal)
    const head = bytes === null ? null : headOf(key, bytes)
    if (head !== null) return head
  }
  return null
}

/** The head of a segment; null: damaged. Throws for a newer format. */
export function headOf(key: string, bytes: Uint8Array): SegmentHead | null {
  try {
    return readSegmentHead(key, bytes)
  } catch (error) {
    if (error instanceof FormatError && error.fault === 'damaged') return null
    throw error
  }
}

interface Last {
  readonly number: number
  readonly generation: string | null
}

/** The first step of the search for the last segment; a page of a listing has about as many names. */
const firstStep = 1_024

/**
 * The highest number of the one sequence, without reading all names: a day has many segments. In steps from the newest snapshot
 * on, which double while something is listed behind them, then halve.
 */
async function lastFenced(target: ArchiveTarget, signal?: AbortSignal): Promise<Last | null> {
  const behind = (number: number): Promise<number> => lastOfPage(target, number, signal)
  let last = await behind(await newestSnapshot(target, signal))
  if (last === 0) return await fromStart(target, signal)
  let step = firstStep
  for (let seen = await behind(last + step); seen > 0; seen = await behind(last + step)) {
    last = seen
    step *= 2
  }
  for (; step > firstStep; step /= 2) last = Math.max(last, await behind(last + step / 2))
  for (let seen = await behind(last); seen > 0; seen = await behind(last)) last = seen
  return { number: last, generation: null }
}

/** Nothing follows the newest snapshot: its segments were removed, or it is of a target that once had no fence. */
async function fromStart(target: ArchiveTarget, signal?: AbortSignal): Promise<Last | null> {
  let last = 0
  for await (const page of target.list('segments/', undefined, signal))
    for (const { key } of page) {
      const name = parseSegmentKey(key)
      if (name?.generation === null) last = Math.max(last, name.number)
    }
  return last === 0 ? null : { number: last, generation: null }
}

/** The highest number on the first page of what is behind a number; 0: nothing is. */
async function lastOfPage(target: ArchiveTarget, after: number, signal?: AbortSignal): Promise<number> {
  for await (const page of target.list('segments/', segmentKey(after, null), signal)) {
    const names = page.map(({ key }) => parseSegmentKey(key))
    const numbers = names.flatMap((name) => (name?.generation === null ? [name.number] : []))
    if (page.length > 0) return Math.max(0, ...numbers)
  }
  return 0
}

/** One below the number of the newest snapshot; 0: there is none. */
async function newestSnapshot(target: ArchiveTarget, signal?: AbortSignal): Promise<number> {
  let newest = 0
  for await (const page of target.list('snapshots/', undefined, signal))
    for (const { key } of page) newest = Math.max(newest, parseSnapshotKey(key)?.number ?? 0)
  return Math.max(0, newest - 1)
}

/** Without a fence: the highest number of all generations, and of the newest of those that have it. */
async function lastOfAny(target: ArchiveTarget, signal?: AbortSignal): Promise<Last | null> {
  let last: Last | null = null
  for await (const page of target.list('segments/', undefined, signal))
    for (const { key } of page) {
      const name = parseSegmentKey(key)
      if (name === null) continue
      const isLater =
        last === null ||
        name.number > last.number ||
        (name.number === last.number && (name.generation ?? '') > (last.generation ?? ''))
      if (isLater) last = name
    }
  return last
}
