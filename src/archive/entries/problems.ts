import { createProblem, type Problem } from '../../config/problem.ts'
import { FaultError } from '../../driver/fault.ts'
import { archiveProblem, problemOfFailure } from '../problems.ts'

/** Why the archive does not take entries, or those of others are not carried. */
export function entriesFailure(label: string, error: unknown): Problem {
  if (!(error instanceof FaultError)) return problemOfFailure(label, error)
  const { summary, hint } = error.fault
  const message = `Changes that another process left in ${label} are not carried to the primary yet: ${summary}`
  return archiveProblem('ARCHIVE_ENTRIES_WAITING', 'warning', message, hint)
}

/** `why`: a sentence. */
export function entriesDamaged(label: string, key: string, why: string): Problem {
  const message = `The object ${key} in ${label} cannot be read, so that the changes in it are not carried. ${why}`
  const advice = 'It is kept. Put back an earlier version of the object, or remove it.'
  return archiveProblem('ARCHIVE_OBJECT_DAMAGED', 'warning', message, advice)
}

export function entriesNewer(label: string, key: string, format: number): Problem {
  const message = `The object ${key} in ${label} has format ${format}, of a later release.`
  const advice = 'It is kept. Run that release to carry the changes in it.'
  return archiveProblem('ARCHIVE_FORMAT_NEWER', 'warning', message, advice)
}

/** Entries that another primary is to get. `name`: its own, for people. */
export function entriesElsewhere(label: string, identity: string, name: string | null, entries: number): Problem {
  const changes = entries === 1 ? '1 change' : `${entries} changes`
  const primary = name === null ? `the primary ${identity}` : `${name} (${identity})`
  return createProblem('JOURNAL_ELSEWHERE', 'warning', 'archive.url', {
    message: `${label} has ${changes} for ${primary}, which is not the configured primary.`,
    suggestion: 'Start the service with DATABASE_URL set to that primary, or use another ARCHIVE_URL.',
  })
}

export function entriesUnknown(label: string, tables: readonly string[]): Problem {
  const message = `${label} has changes of ${[...tables].sort().join(', ')}, which no collection declares here.`
  const advice = 'Declare these collections, then restart; or use another ARCHIVE_URL.'
  return archiveProblem('ARCHIVE_ENTRIES_KEPT', 'warning', message, advice)
}
