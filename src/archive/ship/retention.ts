import { FormatError } from '../format/format-error.ts'
import { readManifest } from '../format/manifests.ts'
import { manifestKey, parseSegmentKey, parseSnapshotKey, provenKey, segmentKey } from '../format/names.ts'
import type { ArchiveTarget } from '../target/target.ts'
import type { ChainIdentity } from './segment-queue.ts'

/** How many proven snapshots of a lineage are kept, with everything after the older one. */
const provenKept = 2

/** A snapshot of this process's lineage, complete or not. */
export interface KeptSnapshot {
  readonly folder: string
  readonly number: number
  readonly isProven: boolean
  readonly keys: readonly string[]
}

/** What may be removed. */
export interface RetentionPlan {
  /** Segments with lower numbers are not needed; null: all are. */
  readonly keepFrom: number | null
  readonly snapshots: readonly KeptSnapshot[]
}

/**
 * The last two proven snapshots and everything after the older one are kept; nothing is removed before there are two. Pure.
 * `snapshots`: of one lineage only.
 */
export function planRetention(snapshots: readonly KeptSnapshot[]): RetentionPlan {
  const proven = snapshots.filter(({ isProven }) => isProven).toSorted((one, other) => other.number - one.number)
  const oldest = proven[provenKept - 1]
  if (oldest === undefined) return { keepFrom: null, snapshots: [] }
  return { keepFrom: oldest.number, snapshots: snapshots.filter(({ number }) => number < oldest.number) }
}

/**
 * Removes what this lineage no longer needs. Segments of other lineages, and of this one before another came between, stay: a
 * number below `since` is never removed. Resolves with how many objects were removed; rejects with a TargetError.
 */
export async function removeUnneeded(
  target: ArchiveTarget,
  identity: ChainIdentity,
  signal: AbortSignal,
): Promise<number> {
  const { keepFrom, snapshots } = planRetention(await ownSnapshots(target, identity, signal))
  if (keepFrom === null) return 0
  let removed = 0
  for (const { folder, keys } of snapshots) {
    // The manifest goes first: without it nothing takes the rest for a snapshot.
    const first = manifestKey(folder)
    for (const key of [first, ...keys.filter((one) => one !== first)]) {
      await target.remove(key, signal)
      removed += 1
    }
  }
  const generation = identity.isFencing ? null : identity.generation
  const folder = segmentKey(0, generation).slice(0, -12)
  const old: string[] = []
  for await (const page of target.list(folder, segmentKey(identity.since - 1, generation), signal)) {
    const names = page.map(({ key }) => ({ key, name: parseSegmentKey(key) }))
    const own = names.filter(({ name }) => name !== null && name.generation === generation)
    old.push(...own.filter(({ name }) => (name?.number ?? keepFrom) < keepFrom).map(({ key }) => key))
    if (own.length === 0 || own.some(({ name }) => (name?.number ?? 0) >= keepFrom)) break
  }
  for (const key of old) await target.remove(key, signal)
  return removed + old.length
}

/** The snapshots of this chain, with the keys of their objects. */
async function ownSnapshots(
  target: ArchiveTarget,
  { lineage, since, isFencing, generation }: ChainIdentity,
  signal: AbortSignal,
): Promise<readonly KeptSnapshot[]> {
  const folders = new Map<string, { number: number; keys: string[] }>()
  for await (const page of target.list('snapshots/', undefined, signal))
    for (const { key } of page) {
      const name = parseSnapshotKey(key)
      if (name === null || name.number < since) continue
      const seen = folders.get(name.folder) ?? { number: name.number, keys: [] }
      folders.set(name.folder, seen)
      seen.keys.push(key)
    }
  const own: KeptSnapshot[] = []
  for (const [folder, { number, keys }] of folders) {
    const key = manifestKey(folder)
    const bytes = keys.includes(key) ? await target.get(key, signal) : null
    if (bytes === null) {
      // Never completed: with a number of this lineage's own it is of this lineage.
      if (isFencing) own.push({ folder, number, isProven: false, keys })
      continue
    }
    const manifest = readOrNull(key, bytes)
    // A damaged one is kept: a person may want to look at it.
    if (manifest === null || manifest.lineage !== lineage) continue
    if (!isFencing && manifest.generation !== generation) continue
    own.push({ folder, number, isProven: keys.includes(provenKey(folder)), keys })
  }
  return own
}

function readOrNull(key: string, bytes: Uint8Array): ReturnType<typeof readManifest> | null {
  try {
    return readManifest(key, bytes)
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}
