import { createProblem, type Problem } from '../../config/problem.ts'
import { FaultError } from '../../driver/fault.ts'
import { TargetError } from '../target/target.ts'

/** Problems that only journals' entries in the archive have, by code; documentation and tests read it. */
export const entriesProblems = {
  ARCHIVE_ENTRIES_WAITING:
    'Changes that another process left in the archive are not carried to the primary yet; tried again.',
  ARCHIVE_ENTRIES_KEPT:
    'The archive has changes of tables that no collection declares here. They are kept, and carried once a collection has the table.',
} as const

const setting = 'archive.url'

/** From this many seconds on a lag is a problem. */
const lagMaxS = 60

/** Why the archive does not take entries, or others' entries are not carried. */
export function entriesUnreachable(label: string, error: unknown): Problem {
  if (error instanceof FaultError) {
    return createProblem('ARCHIVE_ENTRIES_WAITING', 'warning', setting, {
      message: `Changes that another process left in ${label} are not carried to the primary yet: ${error.fault.summary}`,
      suggestion: error.fault.hint,
    })
  }
  const isOfTarget = error instanceof TargetError
  const why = error instanceof Error ? error.message : String(error)
  return createProblem('ARCHIVE_UNREACHABLE', 'warning', setting, {
    message: `The changes that wait in the journal are not kept in ${label} at the moment${isOfTarget ? ` (${error.kind})` : ''}: ${why}`,
    suggestion: isOfTarget ? error.hint : 'It is tried again.',
  })
}

/** Null while the archive is close behind. */
export function entriesLag(label: string, lagS: number): Problem | null {
  if (lagS <= lagMaxS) return null
  return createProblem('ARCHIVE_LAG', 'warning', setting, {
    message: `${label} lacks the changes of the journal of the last ${Math.round(lagS)} seconds.`,
    suggestion: 'A restart on an empty disk would lose them. Check whether the archive can be reached.',
  })
}

/** Objects that are done cannot be removed. */
export function entriesUndeleted(label: string, error: unknown): Problem {
  return createProblem('ARCHIVE_KEEPS_TOO_MUCH', 'warning', setting, {
    message: `Changes that were carried to the primary cannot be removed from ${label}: ${error instanceof Error ? error.message : String(error)}`,
    suggestion: error instanceof TargetError ? error.hint : 'They are removed when that is possible.',
  })
}

/** `why`: a sentence. */
export function entriesDamaged(label: string, key: string, why: string): Problem {
  return createProblem('ARCHIVE_OBJECT_DAMAGED', 'warning', setting, {
    message: `The object ${key} in ${label} cannot be read, so that the changes in it are not carried. ${why}`,
    suggestion: 'It is kept. Restore an earlier version of the object, or remove it.',
  })
}

export function entriesNewer(label: string, key: string, format: number): Problem {
  return createProblem('ARCHIVE_FORMAT_NEWER', 'warning', setting, {
    message: `The object ${key} in ${label} has format ${format}, of a later release.`,
    suggestion: 'It is kept. Run that release to carry the changes in it.',
  })
}

/** Entries that another primary is to get. `name`: its own, for people. */
export function entriesElsewhere(label: string, identity: string, name: string | null, entries: number): Problem {
  const changes = entries === 1 ? '1 change' : `${entries} changes`
  const primary = name === null ? `the primary ${identity}` : `${name} (${identity})`
  return createProblem('JOURNAL_ELSEWHERE', 'warning', setting, {
    message: `${label} has ${changes} for ${primary}, which is not the configured primary.`,
    suggestion: 'Start the service with DATABASE_URL set to that primary, or with another ARCHIVE_URL.',
  })
}

export function entriesUnknown(label: string, tables: readonly string[]): Problem {
  return createProblem('ARCHIVE_ENTRIES_KEPT', 'warning', setting, {
    message: `${label} has changes of ${[...tables].sort().join(', ')}, which no collection declares here.`,
    suggestion: 'Declare these collections, then restart; or use another ARCHIVE_URL.',
  })
}
