import type { ArchivePosition, TableProof } from '../../driver/facet/archive.ts'

/** `archive.json`. */
export interface RootRecord {
  readonly format: number
  /** The archive's own id. */
  readonly archive: string
  /** The id of the first file that was archived here. */
  readonly store: string
  /** ISO 8601, as all times in records. */
  readonly madeAt: string
}

/** `lineages/<id>.json`: why what follows `number` continues nothing that was there before. */
export interface LineageRecord {
  readonly lineage: string
  /** The id of the file. */
  readonly store: string
  /** The number of the segment that opens it. */
  readonly number: number
  readonly why: 'first' | 'empty-start' | 'behind' | 'unknown'
  readonly madeAt: string
}

/**
 * The head of a segment. `open`: a process begins; without pages. `pages`: what was cut. `gap`: changes are missing before what
 * follows, so only a snapshot of at least this number is a base for it; without pages.
 */
export interface SegmentHead {
  readonly format: number
  readonly kind: 'open' | 'pages' | 'gap'
  readonly archive: string
  readonly lineage: string
  readonly store: string
  /** A UUIDv7 of the process that wrote it. */
  readonly generation: string
  readonly number: number
  /** The number of the `open` segment from which on every segment up to this one is of this lineage. */
  readonly since: number
  /** SHA-256, in hex, of the whole object with the number before, of whatever lineage; null: there is none. */
  readonly previous: string | null
  /** Whether it follows the segment before without a gap; of `open`: the file was rebuilt from there, or provably continues it. */
  readonly isContiguous: boolean
  /** `Cut.isWhole`; true where there are no pages. */
  readonly isWhole: boolean
  /** The place behind it; null: not known. */
  readonly position: ArchivePosition | null
  /** When its last change was seen to be committed. */
  readonly at: string
  /** Bytes of the payload before and after it was compressed, and the SHA-256 of the former. */
  readonly bytes: number
  readonly packedBytes: number
  readonly hash: string
}

/** A part of a snapshot. */
export interface SnapshotPart {
  readonly bytes: number
  readonly packedBytes: number
  /** SHA-256 of the bytes as they are stored, in hex. */
  readonly hash: string
}

/** `snapshots/<number>-<id>/manifest.json`. */
export interface SnapshotManifest {
  readonly format: number
  readonly archive: string
  readonly lineage: string
  readonly store: string
  readonly generation: string
  readonly id: string
  /** The last segment that is in it. */
  readonly number: number
  /** SHA-256 of that segment's object, so that the first one behind it can be checked. */
  readonly previous: string | null
  readonly position: ArchivePosition | null
  readonly at: string
  readonly bytes: number
  readonly parts: readonly SnapshotPart[]
  readonly tables: readonly TableProof[]
}

/** `snapshots/<number>-<id>/proven.json`. */
export interface ProvenRecord {
  readonly at: string
  readonly rows: number
  readonly tookMs: number
  /** The last segment that was restored with it. */
  readonly number: number
}
