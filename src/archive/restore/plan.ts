import type { LineageRecord, RootRecord, SnapshotManifest } from '../format/records.ts'

/** A segment as listings name it. */
export interface SegmentObject {
  readonly key: string
  readonly number: number
  /** Null: its number alone is its name. */
  readonly generation: string | null
  readonly bytes: number
}

/** A complete snapshot. */
export interface StoredSnapshot {
  readonly folder: string
  readonly manifest: SnapshotManifest
}

/** An object that is there, and cannot be used. */
export interface DamagedObject {
  readonly key: string
  /** As a sentence, with its key. */
  readonly message: string
}

/** What an archive holds, from its listings and records. */
export interface Inventory {
  readonly root: RootRecord
  readonly lineages: readonly LineageRecord[]
  readonly snapshots: readonly StoredSnapshot[]
  /** Folders of snapshots without a manifest: they were never completed. */
  readonly incomplete: readonly string[]
  readonly damaged: readonly DamagedObject[]
  /** Of those behind the oldest complete snapshot; all of them where there is none. */
  readonly segments: readonly SegmentObject[]
}

/** How far to restore. */
export interface RestoreWish {
  /** Only what has a lower number; null: everything. */
  readonly before: number | null
  /** Only changes up to this time, in milliseconds since 1970; null: all. */
  readonly atMs: number | null
  /** Null: the newest one that has a complete snapshot. */
  readonly lineage: string | null
}

/** Everything that is there. */
export const wholeArchive: RestoreWish = { before: null, atMs: null, lineage: null }

/** A snapshot to begin with, and the segments that may follow it. */
export interface RestoreBase extends StoredSnapshot {
  /** In the order of their numbers, without a hole from the one right behind the snapshot. */
  readonly segments: readonly SegmentObject[]
  /** The number that is missing, although there are later ones, or `before` is later; null: none is. */
  readonly missing: number | null
  /** How many segments there are behind `missing`. */
  readonly behind: number
}

/** The snapshots to restore from, the best first: a later one is for when those before it turn out to be damaged. Pure. */
export function planRestore(inventory: Inventory, wish: RestoreWish): readonly RestoreBase[] {
  const { before, atMs, lineage } = wish
  return inventory.snapshots
    .filter(({ manifest }) => lineage === null || manifest.lineage === lineage)
    .filter(({ manifest }) => before === null || manifest.number < before)
    .filter(({ manifest }) => atMs === null || Date.parse(manifest.at) <= atMs)
    .toSorted(newestFirst(inventory.segments.some(({ generation }) => generation !== null)))
    .map((snapshot) => ({ ...snapshot, ...followers(inventory.segments, snapshot.manifest, before) }))
}

/** Where names do not fence, the newest process counts, whatever numbers others have reached. */
function newestFirst(isUnfenced: boolean): (a: StoredSnapshot, b: StoredSnapshot) => number {
  return ({ manifest: a }, { manifest: b }) =>
    (isUnfenced ? compared(b.generation, a.generation) : 0) || b.number - a.number || compared(b.id, a.id)
}

function compared(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The segments behind a snapshot, up to the first hole. */
function followers(
  all: readonly SegmentObject[],
  { number, generation }: SnapshotManifest,
  before: number | null,
): Pick<RestoreBase, 'segments' | 'missing' | 'behind'> {
  const isUnfenced = all.some((segment) => segment.generation === generation)
  const later = all
    .filter((segment) => segment.generation === (isUnfenced ? generation : null))
    .filter((segment) => segment.number > number && (before === null || segment.number < before))
    .toSorted((a, b) => a.number - b.number)
  const dense = later.findIndex((segment, at) => segment.number !== number + 1 + at)
  if (dense === -1) {
    const next = number + 1 + later.length
    return { segments: later, missing: !isUnfenced && before !== null && next < before ? next : null, behind: 0 }
  }
  return { segments: later.slice(0, dense), missing: number + 1 + dense, behind: later.length - dense }
}
