import type { Problem } from '../../config/problem.ts'
import { FormatError } from '../format/format-error.ts'
import { archiveProblem } from '../problems.ts'
import type { DamagedObject } from './plan.ts'
import type { RestoredPlace } from './restorer.ts'

/** What a restore could not use, as problems. */
export function restoreProblems(found: RestoredPlace | null, damaged: readonly DamagedObject[]): readonly Problem[] {
  const objects = damaged.map(({ message }) =>
    archiveProblem(
      'ARCHIVE_OBJECT_DAMAGED',
      'warning',
      message,
      'It was not used. Restore it from a copy of the archive, or leave it: the next snapshot does not need it.',
    ),
  )
  const hole = found === null ? null : stopProblem(found)
  return hole === null ? objects : [...objects, hole]
}

/** Why a restored file lacks what the archive has behind it; null: it lacks nothing. */
export function stopProblem({ place, end, unused }: RestoredPlace): Problem | null {
  const why = stopText(end)
  if (why === null) return null
  const behind = unused === 1 ? '1 later segment is' : `${unused} later segments are`
  return archiveProblem(
    'ARCHIVE_HOLE',
    'warning',
    `The rows were restored up to segment ${place.number}, of ${place.at}: ${why} ${behind} kept in the archive, and not used.`,
    end.why === 'other-lineage'
      ? `Compare both with "holdfast archive list". For the rows of the other one, if it has a snapshot: "holdfast restore --lineage ${end.lineage} --to FOLDER".`
      : 'Restore the missing object from a copy of the archive, then run "holdfast restore --to FOLDER" for the rest.',
  )
}

/** Why no more segments are used, as a sentence; null where nothing that was ever whole is left out. */
export function stopText(end: RestoredPlace['end']): string | null {
  switch (end.why) {
    case 'complete':
    case 'reached':
    case 'unfinished':
      return null
    case 'missing':
      return `segment ${end.number} is missing.`
    case 'damaged':
      return end.message
    case 'gap':
      return `before segment ${end.number}, changes were not archived, and there is no snapshot of a later state.`
    case 'other-lineage':
      return `from segment ${end.number} on, the archive has another lineage, ${end.lineage}.`
  }
}

/** A start without rows that the archive may have. `why`: a sentence. */
export function emptyStartProblem(label: string, why: string): Problem {
  return archiveProblem(
    'ARCHIVE_EMPTY_START',
    'warning',
    `The service started without rows, because the archive ${label} could not be restored: ${why} Nothing in the archive is replaced.`,
    'To use the archived rows when it answers: "holdfast archive list", then "holdfast restore --lineage ID", with the service stopped and its file moved away. A start by itself restores the newest lineage, which may be this one.',
  )
}

/** The file was damaged. `at`: the time of the last restored change; null: nothing was restored. */
export function asideProblem(aside: string, at: string | null): Problem {
  const rows = at === null ? 'A new file was created' : `Its rows were restored from the archive, up to ${at}`
  return archiveProblem(
    'ARCHIVE_FILE_SET_ASIDE',
    'warning',
    `The database file was damaged. It was moved to ${aside}. ${rows}.`,
    `Check ${aside} for later rows.`,
  )
}

/** Why a restore does not go on, for people: an object that cannot be read, or the target. */
export function failureText(error: unknown): string {
  return error instanceof Error ? error.message : 'it failed.'
}

/** Whether waiting cannot help. */
export function isNewer(error: unknown): boolean {
  return error instanceof FormatError && error.fault === 'newer'
}
