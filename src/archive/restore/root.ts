import { recordBytes } from '../format/fields.ts'
import { FormatError } from '../format/format-error.ts'
import { readManifest, readRoot } from '../format/manifests.ts'
import { manifestKey, parseSnapshotKey, rootKey } from '../format/names.ts'
import type { RootRecord, SnapshotManifest } from '../format/records.ts'
import type { ArchiveTarget } from '../target/target.ts'

/** What an archive says of itself. */
export interface FoundRoot {
  readonly root: RootRecord
  /** Why its own record could not be used; null: it could. */
  readonly fault: FormatError | null
}

/**
 * The root record; where it is missing or damaged, what the oldest snapshot says in its stead. Null: nothing was ever archived
 * here. Rejects with a FormatError, too: of a newer format, or where the record is damaged and no snapshot replaces it.
 */
export async function findRoot(target: ArchiveTarget, signal?: AbortSignal): Promise<FoundRoot | null> {
  const own = recordOr(await target.get(rootKey, signal))
  if (own !== null && !(own instanceof FormatError)) return { root: own, fault: null }
  const manifest = await oldestManifest(target, signal)
  if (manifest !== null) {
    const { format, archive, store, at } = manifest
    return {
      root: { format, archive, store, madeAt: at },
      fault: own ?? new FormatError('damaged', rootKey, 'is missing'),
    }
  }
  if (own !== null) throw own
  return null
}

/** Likewise, for whoever is about to write: a record that is missing is stored again. */
export async function fetchRoot(target: ArchiveTarget, signal?: AbortSignal): Promise<RootRecord | null> {
  const found = await findRoot(target, signal)
  if (found === null) return null
  if (found.fault !== null) await target.putNew(rootKey, recordBytes(found.root), signal)
  return found.root
}

function recordOr(bytes: Uint8Array | null): RootRecord | FormatError | null {
  try {
    return bytes === null ? null : readRoot(rootKey, bytes)
  } catch (error) {
    if (error instanceof FormatError && error.fault === 'damaged') return error
    throw error
  }
}

async function oldestManifest(target: ArchiveTarget, signal?: AbortSignal): Promise<SnapshotManifest | null> {
  for await (const page of target.list('snapshots/', undefined, signal))
    for (const { key } of page) {
      const name = parseSnapshotKey(key)
      if (name === null || key !== manifestKey(name.folder)) continue
      const bytes = await target.get(key, signal)
      const manifest = bytes === null ? null : manifestOrNull(key, bytes)
      if (manifest !== null) return manifest
    }
  return null
}

function manifestOrNull(key: string, bytes: Uint8Array): SnapshotManifest | null {
  try {
    return readManifest(key, bytes)
  } catch (error) {
    if (error instanceof FormatError && error.fault === 'damaged') return null
    throw error
  }
}
