import { open } from 'node:fs/promises'
import type { FileProof } from '../../driver/facet/archive.ts'
import { recordBytes } from '../format/fields.ts'
import { partBytesMax } from '../format/manifests.ts'
import { archiveFormat, manifestKey, partKey, snapshotFolder } from '../format/names.ts'
import { pack, sha256Hex } from '../format/packing.ts'
import type { SnapshotManifest, SnapshotPart } from '../format/records.ts'
import type { ArchiveTarget } from '../target/target.ts'
import type { ChainIdentity, ChainTip } from './segment-queue.ts'

/** Parts that are compressed and on their way at the same time; each is in memory. */
const partsAtOnce = 2

/** A copy of the file that is to be stored as a snapshot. */
export interface SnapshotCopy {
  readonly id: string
  readonly path: string
  readonly proof: FileProof
  readonly identity: ChainIdentity
  /** The last segment that is in it. */
  readonly tip: ChainTip
  /** ISO 8601. */
  readonly at: string
}

/** Puts the parts of a snapshot; its manifest is still to be put. `put` is called for each object, and tries again by itself. */
export async function uploadParts(
  copy: SnapshotCopy,
  put: (key: string, bytes: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<SnapshotManifest> {
  const folder = snapshotFolder(copy.tip.number, copy.id)
  await using file = await open(copy.path, 'r')
  const { size } = await file.stat()
  const count = Math.ceil(size / partBytesMax)
  const parts: SnapshotPart[] = new Array(count)
  let next = 0
  const carry = async (): Promise<void> => {
    for (let part = next++; part < count; part = next++) {
      signal.throwIfAborted()
      const plain = new Uint8Array(Math.min(partBytesMax, size - part * partBytesMax))
      const { bytesRead } = await file.read(plain, 0, plain.byteLength, part * partBytesMax)
      if (bytesRead !== plain.byteLength) throw new Error('The copy of the file was cut short.')
      const packed = await pack(plain)
      await put(partKey(folder, part + 1), packed)
      parts[part] = { bytes: bytesRead, packedBytes: packed.byteLength, hash: await sha256Hex(packed) }
    }
  }
  await Promise.all(Array.from({ length: partsAtOnce }, carry))
  const { root, lineage, store, generation } = copy.identity
  const { number, hash: previous, position } = copy.tip
  return {
    ...{ format: archiveFormat, archive: root.archive, lineage, store, generation, id: copy.id },
    ...{ number, previous, position, at: copy.at, bytes: size, parts, tables: copy.proof.tables },
  }
}

/** Puts the manifest: with it the snapshot is complete. Resolves with the snapshot's folder. */
export async function putManifest(
  target: ArchiveTarget,
  manifest: SnapshotManifest,
  signal?: AbortSignal,
): Promise<string> {
  const folder = snapshotFolder(manifest.number, manifest.id)
  await target.put(manifestKey(folder), recordBytes(manifest), signal)
  return folder
}
