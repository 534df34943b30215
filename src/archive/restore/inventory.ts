import { readLineage, readManifest } from '../format/manifests.ts'
import { manifestKey, parseSegmentKey, parseSnapshotKey, partKey, segmentKey } from '../format/names.ts'
import type { LineageRecord, SnapshotManifest } from '../format/records.ts'
import type { ArchiveTarget, ListedObject } from '../target/target.ts'
import { isDamage, readObject } from './objects.ts'
import type { DamagedObject, Inventory, SegmentObject, StoredSnapshot } from './plan.ts'
import { findRoot } from './root.ts'

/** Reads what an archive holds; null: there is none. Writes nothing. Rejects with a TargetError or a FormatError. */
export async function readInventory(target: ArchiveTarget, signal: AbortSignal): Promise<Inventory | null> {
  const found = await findRoot(target, signal)
  if (found === null) return null
  const { root, fault } = found
  const damaged: DamagedObject[] = fault === null ? [] : [{ key: fault.key, message: fault.message }]
  const lineages = await readLineages(target, signal, damaged)
  const { snapshots, incomplete } = await readSnapshots(target, signal, damaged)
  const numbers = snapshots.map(({ manifest }) => manifest.number)
  const segments = await listSegments(target, numbers.length === 0 ? null : Math.min(...numbers), signal)
  return { root, lineages, snapshots, incomplete, damaged, segments }
}

async function readLineages(
  target: ArchiveTarget,
  signal: AbortSignal,
  damaged: DamagedObject[],
): Promise<readonly LineageRecord[]> {
  const found: LineageRecord[] = []
  for (const { key } of await listed(target, 'lineages/', undefined, signal)) {
    const record = await readOr(damaged, key, () => readObject(target, key, signal, (bytes) => readLineage(key, bytes)))
    if (record !== null) found.push(record)
  }
  return found.toSorted((a, b) => a.number - b.number)
}

async function readSnapshots(
  target: ArchiveTarget,
  signal: AbortSignal,
  damaged: DamagedObject[],
): Promise<{ readonly snapshots: readonly StoredSnapshot[]; readonly incomplete: readonly string[] }> {
  const sizes = new Map<string, number>()
  const folders = new Set<string>()
  for (const { key, bytes } of await listed(target, 'snapshots/', undefined, signal)) {
    const name = parseSnapshotKey(key)
    if (name === null) continue
    sizes.set(key, bytes)
    folders.add(name.folder)
  }
  const snapshots: StoredSnapshot[] = []
  for (const folder of folders) {
    const key = manifestKey(folder)
    if (!sizes.has(key)) continue
    const read = (bytes: Uint8Array): SnapshotManifest => readManifest(key, bytes)
    const manifest = await readOr(damaged, key, () => readObject(target, key, signal, read))
    if (manifest === null) continue
    const wrong = damagedPart(folder, manifest, sizes)
    if (wrong === null) snapshots.push({ folder, manifest })
    else damaged.push(wrong)
  }
  return { snapshots, incomplete: [...folders].filter((folder) => !sizes.has(manifestKey(folder))) }
}

/** What the listing alone says against a snapshot. */
function damagedPart(
  folder: string,
  { parts }: SnapshotManifest,
  sizes: ReadonlyMap<string, number>,
): DamagedObject | null {
  for (const [at, { packedBytes }] of parts.entries()) {
    const key = partKey(folder, at + 1)
    const bytes = sizes.get(key)
    if (bytes === undefined) return { key, message: `The object ${key} is missing.` }
    if (bytes !== packedBytes) return { key, message: `The object ${key} has ${bytes} bytes, not ${packedBytes}.` }
  }
  return null
}

async function listSegments(
  target: ArchiveTarget,
  behind: number | null,
  signal: AbortSignal,
): Promise<readonly SegmentObject[]> {
  // Names with a generation sort behind those without: the listing has both.
  const after = behind === null ? undefined : segmentKey(behind, null)
  return (await listed(target, 'segments/', after, signal)).flatMap(({ key, bytes }) => {
    const name = parseSegmentKey(key)
    return name === null ? [] : [{ key, bytes, ...name }]
  })
}

/** Null: it is damaged, which is noted, or was removed since it was listed. */
async function readOr<T>(damaged: DamagedObject[], key: string, read: () => Promise<T | null>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (!isDamage(error)) throw error
    damaged.push({ key, message: error.message })
    return null
  }
}

async function listed(
  target: ArchiveTarget,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal,
): Promise<readonly ListedObject[]> {
  const all: ListedObject[] = []
  for await (const page of target.list(prefix, after, signal)) all.push(...page)
  return all
}
