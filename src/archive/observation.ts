import type { Problem } from '../config/problem.ts'

/** What is worth noticing of an archive. `label`: the target's, without a secret. */
export type ArchiveObservation =
  /** Changes are archived from now on. `isContiguous`: what is archived already serves as a base. */
  | {
      readonly type: 'archive.joined'
      readonly label: string
      readonly lineage: string
      readonly number: number
      readonly isContiguous: boolean
    }
  | {
      readonly type: 'archive.stored'
      readonly label: string
      readonly key: string
      readonly bytes: number
      readonly tookMs: number
    }
  /** The target does not answer, or refuses; tried again. Once until it answers. */
  | { readonly type: 'archive.failed'; readonly label: string; readonly problem: Problem }
  | { readonly type: 'archive.resumed'; readonly label: string; readonly awayMs: number }
  /** Nothing is archived any more: another process has taken over, or the archive is not this store's. */
  | { readonly type: 'archive.ended'; readonly label: string; readonly problem: Problem }
  /** Changes were lost to the archive; a snapshot follows. */
  | { readonly type: 'archive.hole'; readonly label: string; readonly problem: Problem }
  | {
      readonly type: 'archive.snapshot-stored'
      readonly label: string
      readonly folder: string
      /** Of the file, and as they are stored. */
      readonly bytes: number
      readonly storedBytes: number
      readonly rows: number
      readonly tookMs: number
    }
  | { readonly type: 'archive.snapshot-failed'; readonly label: string; readonly problem: Problem }
  /** Objects that are no longer needed were removed. */
  | { readonly type: 'archive.removed'; readonly label: string; readonly objects: number }
  /** Something else worth a person's notice. */
  | { readonly type: 'archive.noticed'; readonly label: string; readonly problem: Problem }
  /** A bug: something threw that must not. It is tried again. */
  | { readonly type: 'archive.defect'; readonly label: string; readonly error: unknown }
