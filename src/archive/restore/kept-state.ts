import { makeDirectory } from '../../disk/data-directory.ts'
import { isThere } from '../../disk/disk.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { segmentKey } from '../format/names.ts'
import type { RootRecord } from '../format/records.ts'
import { readSegmentHead } from '../format/segment.ts'
import { archiveFolder, Spool } from '../ship/spool.ts'
import { writeShipState } from '../ship/state-file.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { readObject } from './objects.ts'
import type { Restored } from './restorer.ts'

/** How many segments of an earlier file wait next to this path for the archive. */
export async function waitingSegments(path: string): Promise<number> {
  const folder = archiveFolder(path)
  return (await isThere(folder)) ? (await new Spool(folder).open()).length : 0
}

/**
 * Notes next to a restored file where it stands in the archive: the service that opens it goes on in the same lineage where that
 * is the end, and begins another one where the archive has gone on. Either way with a new snapshot.
 */
export async function keepPlace(
  target: ArchiveTarget,
  root: RootRecord,
  path: string,
  { manifest, place }: Restored,
  signal: AbortSignal,
): Promise<void> {
  const { lineage } = manifest
  const { number, hash } = place
  const key = segmentKey(number, null)
  const head = await readObject(target, key, signal, (object) => readSegmentHead(key, object))
  const since = head?.since ?? manifest.number
  const chain = { archive: root.archive, generation: drawId(), lineage, since, number, hash }
  const state = { ...chain, position: null, isBroken: true, isEmptyStart: false, base: null }
  await makeDirectory(archiveFolder(path), 0o700)
  await writeShipState(archiveFolder(path), state, true)
}
