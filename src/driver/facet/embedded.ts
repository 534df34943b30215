import type { EmbeddedArchive } from './archive.ts'
import type { CopyGlance } from './copy.ts'

/** Facet: the database runs in this process, on files of this machine. */
export interface Embedded<T> {
  /** Absolute paths of the files that `connect` would try, in that order. Pure. */
  files(target: T): readonly string[]
  /**
   * Reads what a file knows of its copy, all at one moment, and changes nothing; a service may use the file meanwhile. Null:
   * there is no such file, or nothing was copied into it. Rejects with what `classify` reads.
   */
  glance?<R>(path: string, read: (glance: CopyGlance) => R): Promise<R | null>
  /** Its files can be archived and rebuilt; `Engine.archive` is there. */
  readonly archive?: EmbeddedArchive<T>
}
