import type { Life } from '../address.ts'

/**
 * A place in the changes of a file, in the driver's own words: plain JSON, at most 1 KiB. The core keeps it next to what was
 * cut up to there, and never reads it.
 */
export type ArchivePosition = Readonly<Record<string, string | number | boolean | null>>

/** Changes of a file, taken out of it in the order of their commits. */
export interface Cut {
  /** In the driver's own form: `FileRebuild.apply` reads it. */
  readonly payload: Uint8Array
  /** The place behind it. */
  readonly position: ArchivePosition
  /**
   * True: it ends with a commit, and a file that is rebuilt up to here is whole. False: a part of a transaction that is too
   * large for one cut; the rest follows.
   */
  readonly isWhole: boolean
  /** True: nothing that was committed before this cut began is left. */
  readonly isAll: boolean
}

/** The rows of one table, to compare by. */
export interface TableProof {
  readonly table: string
  readonly rows: number
  /** A SHA-256, in hex, over all rows in the order in which the file has them: a copy gives the same. */
  readonly hash: string
}

/** What a whole file says of itself, read by a process of its own. */
export interface FileProof {
  /** The file's own id (`ArchiveSource.fileId`); null: it has none. */
  readonly fileId: string | null
  readonly bytes: number
  /** What `integrity_check` found, at most ten lines; empty: all is well. */
  readonly damage: readonly string[]
  /** By table name; without tables of Holdfast's own but `holdfast_request`. Empty where there is damage. */
  readonly tables: readonly TableProof[]
}

/** A copy of the file as it was at one place in its changes. The caller removes it. */
export interface FileSnapshot {
  /** Absolute path of the copy. */
  readonly path: string
  readonly proof: FileProof
  /** The place that the copy is at, as `ArchiveSource.checkpoint` gives it. */
  readonly position: ArchivePosition
}

/**
 * Facet of an open local store: what was committed and synced can be taken out of it, in order and without a gap. While it is
 * begun no checkpoint runs that this facet did not ask for. Rejections are what `classify` reads.
 */
export interface ArchiveSource {
  /** The file's own id; copies of the file share it. */
  readonly fileId: string
  /** Absolute path of the file. */
  readonly path: string
  /**
   * Makes this process the one that archives the file, until it calls what is returned (which may be called twice) or is gone. To be
   * called before anything that is kept next to the file is touched. Throws a fault of code `fileSharedCode` while another
   * process is.
   */
  hold(): () => void
  /**
   * Whether what `cut` gives from now on follows this position without a gap: the file is as it was there, but for changes
   * that are still to be cut. Null: a file that was just rebuilt, and has not been changed since. To be called once, before
   * the first `cut`; where it is false a snapshot must be the next base.
   */
  begin(position: ArchivePosition | null): Promise<boolean>
  /** How many bytes wait to be cut; 0: nothing was committed since. From the file's size; microseconds. Never throws. */
  waitingBytes(): number
  /**
   * The next changes that are committed and synced, about `maxBytes` of payload; null: none. A page that was written several
   * times is in it once. Never runs twice at once. Rejects with a fault of code `archiveGapCode` where changes were lost
   * to it (another process has checkpointed): from then on only a snapshot continues.
   */
  cut(maxBytes: number): Promise<Cut | null>
  /** True when so much was cut that a checkpoint is due. */
  readonly isCheckpointDue: boolean
  /**
   * Cuts what is left while nothing else can write, hands it to `keep`, which resolves when it survives a crash of the
   * process and of the machine, then carries everything into the main file. Where much is left, `keep` is called several
   * times, in order; the last time perhaps with nothing. Resolves with the place that `keep` was told last in a form that
   * `begin` can also prove when nothing follows: to be kept in its stead. Null where a reader is in the way: nothing was lost,
   * and it is to be tried again. Changes wait only for as long as the rest takes. When `keep` rejects, so does this, and what it was given is cut
   * again. Rejects
   * with a fault of code `archiveGapCode` like `cut`.
   */
  checkpoint(keep: (rest: readonly Cut[]) => Promise<void>): Promise<ArchivePosition | null>
  /**
   * A checkpoint, then a copy of the main file at exactly the place that `keep` was told last, made by another process as
   * `into`, with its proof. `copied` is called when the copy is done, before it is proven. Resolves with null like
   * `checkpoint`. After a gap `keep` gets nothing, and what is cut from then on follows the copy. Rejects with kind
   * `disk-full` before it begins where `into` has no room for it with a margin.
   */
  snapshot(
    into: string,
    keep: (rest: readonly Cut[]) => Promise<void>,
    signal: AbortSignal,
    copied?: () => void,
  ): Promise<FileSnapshot | null>
  /**
   * The last checkpoint, before the store closes, or when nothing is to be cut any more: from then on the database carries its
   * changes by itself. Resolves with the place for the next `begin`, to be kept; null: it cannot be told. Never rejects: what
   * could not be done costs a snapshot.
   */
  end(keep: (rest: readonly Cut[]) => Promise<void>): Promise<ArchivePosition | null>
}

/** The code of the fault of whoever comes second to a file that only one process may use. */
export const fileSharedCode = 'FILE_SHARED'

/** The code of the fault of `ArchiveSource.cut` after a gap. */
export const archiveGapCode = 'ARCHIVE_GAP'

/** A file that is rebuilt from a snapshot and what was cut after it, under a name of its own. */
export interface FileRebuild {
  /** The next bytes of the snapshot, in order. */
  write(bytes: Uint8Array): Promise<void>
  /** The payloads of cuts, in order, after the whole snapshot. Throws for a payload that it cannot read. */
  apply(payload: Uint8Array): Promise<void>
  /**
   * Synced, closed, read by another process, and with its final name: renamed, and nothing of another life is next to it.
   * Refuses to replace a file. Rejects where the proof names damage; then nothing has the final name.
   */
  finish(signal?: AbortSignal): Promise<FileProof>
  /** Removes what is there. Safe to call twice, and after `finish`. */
  abandon(): Promise<void>
}

/** Why there is no file to open. */
export interface MissingFile {
  /** Absolute path of the file that opening would make; its folder exists and was written to. */
  readonly path: string
  /** `absent`: there is none, or an empty one. `damaged`: it was set aside as `aside`. */
  readonly why: 'absent' | 'damaged'
  readonly aside: string | null
}

/** Facet of an embedded driver: its files can be archived and rebuilt. Only of local stores. */
export interface EmbeddedArchive<T> {
  /**
   * The file that opening this target would make; null where it would open one that is there. Sets a damaged one aside, as
   * opening would. Rejects with what `classify` reads.
   */
  missing(target: T, connectMs: number): Promise<MissingFile | null>
  /** Begins to rebuild `path`, which must not exist. */
  rebuild(path: string): Promise<FileRebuild>
  /** Reads a file that nobody writes to, in another process. */
  prove(path: string, signal: AbortSignal): Promise<FileProof>
  /** Why the file of this target cannot be archived, as a sentence; null where it can (a rollback journal has no frames). */
  refusal(target: T): string | null
}

/** The lives whose files are archived page by page. */
export const archivedLife: Life = 'local'
