import type { Settling } from './conflicts.ts'

/** The outcome in a sentence, and what to do. */
export function settlingSentence(outcome: Settling): string {
  switch (outcome.is) {
    case 'settled':
      return `Settled: ${outcome.as}.`
    case 'settled-before':
      return `It was settled before: ${outcome.as}. Nothing was changed.`
    case 'absent':
      return 'There is no conflict of this id; "holdfast conflicts list" lists them.'
    case 'blocked':
      return `An older conflict on one of its rows is open. Settle ${outcome.by} first.`
    case 'moved':
      return 'A row has changed since it was shown. Show the conflict again, then decide.'
    case 'conflicting':
      return `It conflicts still: ${outcome.conflict.entries.map(({ reason }) => reason).join(', ')}.`
    case 'refused':
      return `The primary refuses the rows: ${outcome.code}. The conflict stays open.`
  }
}
