import { createProblem, type Problem } from '../config/problem.ts'
import { formatBytes } from '../config/quantity.ts'
import { fileSharedCode } from '../driver/facet/archive.ts'
import { FaultError } from '../driver/fault.ts'
import { FormatError } from './format/format-error.ts'
import type { LineageRecord, RootRecord } from './format/records.ts'
import { TargetError } from './target/target.ts'

/** Problems with the archive, by code; documentation and tests read it. */
export const archiveProblems = {
  ARCHIVE_URL_INVALID: 'ARCHIVE_URL cannot be read; nothing is archived.',
  ARCHIVE_URL_REPAIRED: 'ARCHIVE_URL is used without what it should not contain.',
  ARCHIVE_KEY_MISSING: 'The bucket of the archive needs an access key and its secret; the archive cannot be reached.',
  ARCHIVE_KEY_FROM_AWS: 'The access key of the archive comes from the variables of AWS.',
  ARCHIVE_UNREACHABLE: 'The archive does not answer, or refuses. Changes wait, and it is tried again.',
  ARCHIVE_LAG: 'The archive is more than 60 s behind.',
  ARCHIVE_HOLE:
    'Changes are missing in the archive. Nothing behind them can be restored until a new snapshot is stored.',
  ARCHIVE_FENCED: 'Another process has taken over this archive. This one no longer archives.',
  ARCHIVE_FILE_SHARED:
    'Another process archives the file of this store, and with it what is written here. This one archives when that one has ended.',
  ARCHIVE_OTHER_STORE: 'The archive is of another store. Nothing is written there.',
  ARCHIVE_FORMAT_NEWER: 'A newer release has written the archive. Nothing is written there.',
  ARCHIVE_AHEAD: 'The archive has changes that the file lacks. Both are kept; you choose which one is to be used.',
  ARCHIVE_EMPTY_START: 'The service started without its rows, because the archive could not be reached or restored.',
  ARCHIVE_FILE_SET_ASIDE: 'The database file was damaged; it was moved away, and its rows were restored.',
  ARCHIVE_OBJECT_DAMAGED: 'An object of the archive is damaged. It is not used, nor what follows it.',
  ARCHIVE_NOT_FENCING:
    'The archive has no put-if-absent, so that two processes cannot be kept apart. No write is confirmed as archived.',
  ARCHIVE_DRILL_FAILED: 'The last restore as a test has failed.',
  ARCHIVE_SNAPSHOT_NO_ROOM:
    'The disk has no room for the copy of which a snapshot is made. Changes are still archived.',
  ARCHIVE_SNAPSHOT_FAILED: 'A snapshot could not be made. Changes are still archived, and it is tried again.',
  ARCHIVE_UNSUITED: 'The database that serves cannot be archived.',
  ARCHIVE_KEEPS_TOO_MUCH: 'Objects that are no longer needed cannot be removed from the archive.',
  ARCHIVE_EXPORT_FAILED: 'The collections could not be exported to the archive. It is tried again.',
  ARCHIVE_ENTRIES_WAITING:
    'Changes that another process left in the archive are not carried to the primary yet. It is tried again.',
  ARCHIVE_ENTRIES_KEPT:
    'The archive has changes of tables that no collection declares. They are kept, and carried once one does.',
} as const

/** The setting that problems of the archive name. */
const setting = 'archive.url'

type ArchiveProblemCode = keyof typeof archiveProblems

/** A problem with the archive as a whole. */
export function archiveProblem(
  code: ArchiveProblemCode,
  severity: Problem['severity'],
  message: string,
  suggestion: string,
): Problem {
  return createProblem(code, severity, setting, { message, suggestion })
}

/** What made an operation on the archive fail, as a problem. */
export function problemOfFailure(label: string, error: unknown): Problem {
  if (error instanceof FormatError) return formatProblem(error)
  if (error instanceof FaultError && error.fault.code === fileSharedCode) return sharedProblem(error)
  const hint = error instanceof TargetError ? error.hint : 'Changes are kept on this disk, and it is tried again.'
  return archiveProblem('ARCHIVE_UNREACHABLE', 'warning', `The archive ${label}: ${messageOf(error)}`, hint)
}

function sharedProblem({ fault }: FaultError): Problem {
  const message = `${fault.summary} What is written here is in the same file, and no write is confirmed as archived here.`
  const advice = 'Give each process its own DATA_DIR and ARCHIVE_URL, or stop the other one.'
  return archiveProblem('ARCHIVE_FILE_SHARED', 'warning', message, advice)
}

/** An object that cannot be read. */
export function formatProblem(error: FormatError): Problem {
  if (error.fault === 'newer') {
    const advice = 'Use the release that wrote it, or another prefix in ARCHIVE_URL.'
    return archiveProblem('ARCHIVE_FORMAT_NEWER', 'warning', error.message, advice)
  }
  const advice = 'Restore it from a copy of the archive, or wait for the next snapshot, which does not need it.'
  return archiveProblem('ARCHIVE_OBJECT_DAMAGED', 'warning', error.message, advice)
}

export function otherStoreProblem(label: string, root: RootRecord, store: string): Problem {
  const message = `The archive ${label} is of store ${root.store}, begun ${root.madeAt}; this one is ${store}. Nothing was written there.`
  return archiveProblem('ARCHIVE_OTHER_STORE', 'warning', message, 'Use another prefix in ARCHIVE_URL.')
}

/** `number`: the segment that opens the new lineage. */
export function lineageProblem(label: string, { why, lineage, number }: LineageRecord): Problem | null {
  const kept = `Both are kept: this one is lineage ${lineage}, from segment ${number} on.`
  const choice =
    'Compare them with "holdfast archive list". To go back: "holdfast restore --lineage", with the service stopped.'
  switch (why) {
    case 'first':
      return null
    case 'empty-start':
      return archiveProblem(
        'ARCHIVE_EMPTY_START',
        'warning',
        `This store was begun without rows, and the archive ${label} has those of an earlier one. ${kept}`,
        choice,
      )
    case 'behind':
      return archiveProblem(
        'ARCHIVE_AHEAD',
        'warning',
        `The archive ${label} has changes that this file lacks, which is older or went on by itself. ${kept}`,
        choice,
      )
    case 'unknown':
      return archiveProblem(
        'ARCHIVE_AHEAD',
        'warning',
        `Nothing next to the file says how far it was archived in ${label}, which may have changes that it lacks. ${kept}`,
        choice,
      )
  }
}

export function lagProblem(lagS: number): Problem {
  const message = `The archive is ${Math.round(lagS)} s behind.`
  return archiveProblem(
    'ARCHIVE_LAG',
    'warning',
    message,
    'Check the connection to the archive, and how much is written.',
  )
}

/** `why`: a sentence. */
export function holeProblem(number: number, why: string): Problem {
  const message = `Changes are missing in the archive before segment ${number}. ${why}`
  return archiveProblem(
    'ARCHIVE_HOLE',
    'warning',
    message,
    'A snapshot is sent as soon as possible; nothing is to be done.',
  )
}

/** Why changes were dropped from the archive. */
export function spoolFullWhy(maxBytes: number): string {
  return `The target was away for longer than ARCHIVE_SPOOL_MAX (${formatBytes(maxBytes)}) of changes.`
}

export function fencedProblem(label: string, generation: string | null): Problem {
  const by = generation === null ? '' : ` (generation ${generation})`
  const message = `Another process${by} has taken over the archive ${label}. What is written here is no longer archived.`
  return archiveProblem(
    'ARCHIVE_FENCED',
    'warning',
    message,
    'Stop one of the two. This one archives again after a restart.',
  )
}

export function notFencingProblem(label: string): Problem {
  const message = `The archive ${label} has no put-if-absent: a second process is not noticed, and no write is confirmed as archived.`
  const advice = 'Use an S3-compatible store that honours If-None-Match, or a folder on a local disk.'
  return archiveProblem('ARCHIVE_NOT_FENCING', 'warning', message, advice)
}

export function drillFailedProblem(failure: string): Problem {
  const advice = 'Check the objects that it names. A new snapshot is sent within a day.'
  return archiveProblem(
    'ARCHIVE_DRILL_FAILED',
    'warning',
    `The archive could not be restored as a test: ${failure}`,
    advice,
  )
}

/** `isRoom`: the disk is too full for the copy. */
export function snapshotProblem(isRoom: boolean, error: unknown): Problem {
  if (isRoom) {
    const advice = 'Free space on the disk of the data directory.'
    return archiveProblem('ARCHIVE_SNAPSHOT_NO_ROOM', 'warning', `No room for a snapshot: ${messageOf(error)}`, advice)
  }
  const message = `A snapshot could not be made: ${messageOf(error)}`
  return archiveProblem('ARCHIVE_SNAPSHOT_FAILED', 'warning', message, 'It is tried again. The log has the details.')
}

export function keepsTooMuchProblem(label: string, error: unknown): Problem {
  const message = `The archive ${label} keeps what is no longer needed, which cannot be removed: ${messageOf(error)}`
  return archiveProblem(
    'ARCHIVE_KEEPS_TOO_MUCH',
    'warning',
    message,
    'Give the access key the right to delete objects.',
  )
}

/** `why`: a sentence about the database, and what to change about it where that is known. */
export function unsuitedProblem(why: string): Problem {
  const advice =
    'Rows are archived while the database is the local SQLite file: no DATABASE_URL, no other journal mode.'
  return archiveProblem('ARCHIVE_UNSUITED', 'warning', `Rows are not archived. ${why}`, advice)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'it failed.'
}
