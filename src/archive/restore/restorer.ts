import type { FileProof, FileRebuild } from '../../driver/facet/archive.ts'
import { FaultError } from '../../driver/fault.ts'
import type { RestoreProgress } from '../archive-state.ts'
import { FormatError } from '../format/format-error.ts'
import { partBytesMax } from '../format/manifests.ts'
import { partKey } from '../format/names.ts'
import { sha256Hex, unpack } from '../format/packing.ts'
import type { SnapshotManifest } from '../format/records.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { loadAhead } from './ahead.ts'
import type { ChainPlace, ChainStop } from './chain.ts'
import { type Followed, followSegments } from './follow.ts'
import { isDamage, readObject } from './objects.ts'
import { type DamagedObject, type Inventory, planRestore, type RestoreBase, type RestoreWish } from './plan.ts'

/** Parts have 8 MiB each. */
const aheadOfParts = { atOnce: 2, bytes: Number.POSITIVE_INFINITY }

/** What a restore works with. */
export interface RestoreParts {
  readonly target: ArchiveTarget
  readonly signal: AbortSignal
  /** Begins the file. */
  rebuild(): Promise<FileRebuild>
  progress?(seen: RestoreProgress): void
  /** Called when everything is applied and nothing has the final name yet. When it rejects nothing is restored. */
  placing?(found: RestoredPlace): Promise<void>
}

/** What is in a restored file. */
export interface RestoredPlace {
  readonly folder: string
  readonly manifest: SnapshotManifest
  /** The last segment that is in it. */
  readonly place: ChainPlace
  readonly end: ChainStop
  /** How many segments are there behind the place, and are not in it. */
  readonly unused: number
}

/** A restored file. */
export interface Restored extends RestoredPlace {
  readonly proof: FileProof
  /** Bytes that were read of the archive. */
  readonly bytes: number
}

/** What became of a restore. */
export interface RestoreResult {
  /** Null: no complete snapshot could be used. */
  readonly restored: Restored | null
  /** What is there and could not be used. */
  readonly damaged: readonly DamagedObject[]
}

/**
 * Restores a file from the newest complete snapshot and the segments behind it. Where that snapshot turns out to be damaged, an
 * older one serves, with the segments behind that. Rejects with what the target or the rebuild rejects with, and with a
 * FormatError of a newer format.
 */
export async function restore(parts: RestoreParts, inventory: Inventory, wish: RestoreWish): Promise<RestoreResult> {
  const damaged = [...inventory.damaged]
  for (const base of planRestore(inventory, wish)) {
    const result = await restoreFrom(parts, base, wish)
    if ('proof' in result) {
      const { end } = result
      if (end.why === 'damaged') damaged.push({ key: end.key, message: end.message })
      return { restored: result, damaged }
    }
    damaged.push(result)
  }
  return { restored: null, damaged }
}

/** What `restore` would do, without its file. Reads the segments, and no snapshot. */
export async function previewRestore(
  parts: Pick<RestoreParts, 'target' | 'signal' | 'progress'>,
  inventory: Inventory,
  wish: RestoreWish,
): Promise<RestoredPlace | null> {
  const [base] = planRestore(inventory, wish)
  if (base === undefined) return null
  const bytes = counting(parts, sumOf(base.segments))
  const apply = async (): Promise<void> => {}
  return placeOf(base, await followSegments({ ...parts, apply, read: bytes.add }, base, wish.atMs))
}

async function restoreFrom(
  parts: RestoreParts,
  base: RestoreBase,
  { atMs }: RestoreWish,
): Promise<Restored | DamagedObject> {
  const { folder, manifest, segments } = base
  const packed = manifest.parts.reduce((sum, part) => sum + part.packedBytes, 0)
  const bytes = counting(parts, packed + sumOf(segments))
  const rebuild = await parts.rebuild()
  try {
    for await (const part of snapshotParts(parts, base)) {
      await rebuild.write(part.plain)
      bytes.add(part.packedBytes)
    }
    const apply = async (payload: Uint8Array): Promise<void> => await rebuild.apply(payload)
    const found = placeOf(base, await followSegments({ ...parts, apply, read: bytes.add }, base, atMs))
    await parts.placing?.(found)
    parts.signal.throwIfAborted()
    return { ...found, proof: await rebuild.finish(parts.signal), bytes: bytes.count }
  } catch (error) {
    await rebuild.abandon()
    if (isDamage(error)) return { key: error.key, message: error.message }
    if (error instanceof FaultError && error.fault.kind === 'corrupt')
      return { key: folder, message: `What is restored from ${folder} is damaged: ${error.fault.summary}` }
    throw error
  }
}

interface PlainPart {
  readonly plain: Uint8Array
  readonly packedBytes: number
}

/** The parts of a snapshot, in order, verified. */
function snapshotParts({ target, signal }: RestoreParts, { folder, manifest }: RestoreBase): AsyncGenerator<PlainPart> {
  const parts = manifest.parts.map((part, at) => ({ ...part, key: partKey(folder, at + 1) }))
  return loadAhead(parts, aheadOfParts, signal, async ({ key, bytes, packedBytes, hash }, limited) => {
    const read = async (packed: Uint8Array): Promise<PlainPart> => {
      if ((await sha256Hex(packed)) !== hash)
        throw new FormatError('damaged', key, 'does not have the hash that its manifest names')
      const plain = await unpack(packed, Math.min(bytes, partBytesMax)).catch((error: unknown) => {
        throw new FormatError('damaged', key, 'cannot be decompressed', error)
      })
      if (plain.byteLength === bytes) return { plain, packedBytes }
      throw new FormatError('damaged', key, `has ${plain.byteLength} bytes of the file, not ${bytes}`)
    }
    const part = await readObject(target, key, limited, read)
    if (part === null) throw new FormatError('damaged', key, 'is missing')
    return part
  })
}

function placeOf({ folder, manifest, segments, behind }: RestoreBase, { place, end }: Followed): RestoredPlace {
  const unused = segments.filter(({ number }) => number > place.number).length + behind
  return { folder, manifest, place, end, unused }
}

function counting(
  { progress }: Pick<RestoreParts, 'progress'>,
  ofBytes: number,
): { readonly count: number; readonly add: (bytes: number) => void } {
  let count = 0
  progress?.({ bytes: 0, ofBytes })
  const add = (bytes: number): void => {
    count += bytes
    progress?.({ bytes: count, ofBytes })
  }
  return {
    get count() {
      return count
    },
    add,
  }
}

function sumOf(all: readonly { readonly bytes: number }[]): number {
  return all.reduce((sum, { bytes }) => sum + bytes, 0)
}
