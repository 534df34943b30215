import { drawId } from '../../driver/kit/draw-id.ts'
import { segmentKey } from '../format/names.ts'
import { sha256Hex } from '../format/packing.ts'
import type { RootRecord } from '../format/records.ts'
import { sealSegment } from '../format/segment.ts'
import { fetchRoot } from '../restore/root.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { type ChainEnd, headOf, probeFence, readChainEnd } from './chain.ts'
import { putSegment } from './put-segment.ts'
import { Spool } from './spool.ts'
import { freshState, writeShipState } from './state-file.ts'

/** What a file was rebuilt from. */
export interface Rebuilt {
  readonly lineage: string
  /** The number of the snapshot, when it was made by its manifest, and the bytes of its file. */
  readonly base: { readonly number: number; readonly atMs: number; readonly bytes: number }
  /** Whether everything of that lineage before the head's number was used. */
  readonly isWhole: boolean
}

/** The chain as this process has taken it over: its own `open` segment is the last one, and fences everyone before. */
export interface ChainHead {
  readonly root: RootRecord
  /** False: names have the generation, and fence nobody. */
  readonly isFencing: boolean
  /** A UUIDv7 of this process. */
  readonly generation: string
  /** Of the segment before; null, with `number` 0: there is no segment. */
  readonly lineage: string | null
  /** The id of that lineage's file. */
  readonly store: string | null
  readonly since: number
  /** Of the `open` segment that this process has put: what is before it is to be restored. */
  readonly number: number
  /** The SHA-256 of that segment's object. */
  readonly hash: string | null
  /** Null: nothing; the file begins without rows, or none was made yet. Whoever has rebuilt a file says so here. */
  readonly rebuilt: Rebuilt | null
}

/** What a takeover needs. */
export interface TakeoverOptions {
  readonly target: ArchiveTarget
  /** `archiveFolder` of the file that is going to be restored. */
  readonly folder: string
  /** Wall clock, for people. */
  readonly wallMs: () => number
  readonly signal?: AbortSignal
}

/**
 * Takes over the chain of an archive before its file is restored: first puts what a dead process on this disk had left in the
 * spool, then an `open` segment with the next number. Null: nothing was ever archived here. Where the file is made after
 * this, restored or not, an Archiver with this head continues. Rejects with a TargetError; with a FormatError where the archive
 * has a newer format, or its first record is damaged.
 */
export async function takeOver(options: TakeoverOptions): Promise<ChainHead | null> {
  const { target, folder, wallMs, signal } = options
  const root = await fetchRoot(target, signal)
  if (root === null) return null
  const isFencing = await probeFence(target, signal)
  const spool = new Spool(folder)
  const left = await spool.open()
  const generation = drawId()
  const mark = { ...freshState(generation), archive: root.archive, isBroken: true, isEmptyStart: true }
  let end = await readChainEnd(target, isFencing, signal)
  if (left.length > 0 && isFencing) end = (await putLeftovers(target, spool, left, root, end, signal)) ?? end
  await spool.clear()
  for (;;) {
    const head = { root, isFencing, generation, rebuilt: null, store: null, lineage: null, since: 0, hash: null }
    // Before the segment is put: a process that dies in between finds its own generation at the end of the chain.
    await writeShipState(folder, mark, true)
    if (end === null || end.readable === null) return { ...head, number: 0 }
    const taken = await putOpen(target, { ...head, end, at: new Date(wallMs()).toISOString() }, signal)
    if (taken !== null) {
      const { lineage, since, number, hash } = taken
      await writeShipState(folder, { ...mark, lineage, since, number, hash }, true)
      return taken
    }
    end = await readChainEnd(target, isFencing, signal)
  }
}

interface Opening extends Pick<ChainHead, 'root' | 'isFencing' | 'generation'> {
  readonly end: ChainEnd
  readonly at: string
}

/** Puts an `open` segment behind the end; null: its number was taken meanwhile. */
async function putOpen(
  target: ArchiveTarget,
  { root, isFencing, generation, end, at }: Opening,
  signal?: AbortSignal,
): Promise<ChainHead | null> {
  const { readable, hash: previous } = end
  if (readable === null) return null
  const number = end.number + 1
  const { lineage, store } = readable
  const since = isFencing ? readable.since : number
  const segment = await sealSegment(
    {
      ...{ kind: 'open', archive: root.archive, lineage, store, generation, number, since, at },
      previous: isFencing ? previous : null,
      ...{ isContiguous: isFencing, isWhole: true, position: null },
    },
    null,
  )
  const key = segmentKey(number, isFencing ? null : generation)
  const put = await putSegment(target, key, segment, signal)
  if (put !== 'stored') return null
  return { root, isFencing, generation, lineage, store, since, number, hash: segment.hash, rebuilt: null }
}

/**
 * Puts what the spool has, in order, where the chain ends right before it, and resolves with the new end; null: none of it.
 * Behind another process's segments it has no place: that process has restored without it.
 */
export async function putLeftovers(
  target: ArchiveTarget,
  spool: Spool,
  left: readonly number[],
  root: RootRecord,
  end: ChainEnd | null,
  signal?: AbortSignal,
): Promise<ChainEnd | null> {
  let last = end
  let isMoved = false
  for (const number of left) {
    const bytes = await spool.read(number)
    const key = segmentKey(number, null)
    const head = bytes === null ? null : headOf(key, bytes)
    if (bytes === null || head === null || head.archive !== root.archive || head.number !== number) break
    // Stored already: the process died before it removed it here.
    if (last !== null && number < last.number) continue
    const hash = await sha256Hex(bytes)
    if (last !== null && number === last.number) {
      if (hash === last.hash) continue
      break
    }
    if (number !== (last?.number ?? 0) + 1 || head.previous !== (last?.hash ?? null)) break
    if ((await putSegment(target, key, { bytes, hash }, signal)) !== 'stored') break
    last = { number, key, hash, head, readable: head }
    isMoved = true
  }
  return isMoved ? last : null
}
