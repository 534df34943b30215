import { createProblem, type Problem } from '../config/problem.ts'
import type { Journal } from '../driver/facet/journal.ts'
import type { BackReason } from './past/standing-change.ts'

/** Problems with journals, by code; documentation and tests read it. */
export const journalProblems = {
  JOURNAL_ELSEWHERE:
    'The journal of the fallback has changes for another primary. They are kept, and never sent to this one.',
  PRIMARY_WENT_BACK:
    'The primary lacks what it had confirmed: an older state was restored, or a failover lost the last writes. What the journal still has is carried again.',
} as const

const setting = 'database.url'

/** The most rows that a problem names. */
export const shownRowsMax = 20

const backSentences: Readonly<Record<BackReason, string>> = {
  cluster: 'It belongs to another cluster than before, with the same identity: a restored copy, or a new installation.',
  timeline: 'It is on an older timeline than before.',
  position: 'Its log ends before a position that it had reached.',
}

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
  const again =
    entries === 0 ? 'the journal has nothing to carry again' : `${counted(entries)} of the journal are carried again`
  return createProblem('PRIMARY_WENT_BACK', 'warning', setting, {
    message: `The primary ${label} has an older state than before; ${again}.`,
    suggestion: 'An older state of the primary was restored. Check what else it lacks since then.',
  })
}

/**
 * `reason`: what shows it in what the server says of itself; null: nothing does. `missing`: how many acknowledged writes are
 * known to be missing; `rows`: the first of them.
 */
export function primaryBackProblem(
  label: string,
  reason: BackReason | null,
  missing: number,
  rows: readonly string[],
): Problem {
  const isOne = missing === 1
  const more = missing > rows.length ? ` and ${missing - rows.length} more` : ''
  const lost =
    missing === 0
      ? 'None of the writes that Holdfast remembers is known to be missing.'
      : `It lacks ${isOne ? '1 write' : `${missing} writes`} that it had acknowledged: ${rows.join(', ')}${more}.`
  return createProblem('PRIMARY_WENT_BACK', 'warning', setting, {
    message: [`The primary ${label} went back.`, ...(reason === null ? [] : [backSentences[reason]]), lost].join(' '),
    suggestion:
      missing === 0
        ? 'Check what it lacks: an older state was restored, or a failover lost its last writes.'
        : 'Write them again, or restore them from a backup. A row that another client deleted at that time may be among them.',
  })
}

function counted(entries: number): string {
  return entries === 1 ? '1 change' : `${entries} changes`
}
