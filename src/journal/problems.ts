import { createProblem, type Problem } from '../config/problem.ts'
import type { Journal } from '../driver/facet/journal.ts'

/** Problems with journals, by code; documentation and tests read it. */
export const journalProblems = {
  JOURNAL_ELSEWHERE:
    'The journal of the fallback has changes for another primary. They are kept, and never sent to this one.',
  PRIMARY_WENT_BACK:
    'The primary lacks changes that were carried to it: an older state was restored. What the journal still has is carried again.',
} as const

const setting = 'database.url'

/** `path` is the file of the journal. */
export function elsewhereProblems(journal: Journal, path: string | null): readonly Problem[] {
  return journal.elsewhere().map(({ identity, label, entries }) => {
    const name = label === null ? `the primary ${identity}` : `${label} (${identity})`
    const command = `holdfast replay${path === null ? '' : ` ${path}`}`
    return createProblem('JOURNAL_ELSEWHERE', 'warning', setting, {
      message: `The journal of the fallback has ${counted(entries)} for ${name}, which is not the configured primary.`,
      suggestion: `Stop the service and run "${command}" with DATABASE_URL set to that primary.`,
    })
  })
}

/** `entries`: how many wait again. */
export function wentBackProblem(label: string, entries: number): Problem {
  const again = entries === 0 ? 'the journal no longer has any' : `${counted(entries)} of the journal are carried again`
  return createProblem('PRIMARY_WENT_BACK', 'warning', setting, {
    message: `The primary ${label} lacks changes that were carried to it; ${again}.`,
    suggestion: 'An older state of the primary was restored. Check what else it lacks since then.',
  })
}

function counted(entries: number): string {
  return entries === 1 ? '1 change' : `${entries} changes`
}
