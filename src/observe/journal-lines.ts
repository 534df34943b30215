import type { Problem } from '../config/problem.ts'
import type { JournalObservation } from '../journal/observation.ts'
import { type LogLine, logLine, repeatableLine } from './log-line.ts'

/** The log line of an observation of the journal. */
export function journalLine(seen: JournalObservation): LogLine {
  switch (seen.type) {
    case 'journal.carried':
      return carriedLine(seen)
    case 'journal.parked': {
      const { label, attempt, collection, row, reason, entries } = seen
      const message = `Parked a change of ${collection} that the primary could not take: ${reason}.`
      return repeatableLine('warn', `parked ${collection} ${reason}`, message, { label, attempt, row, entries, reason })
    }
    case 'primary.went-back':
      return backLine(seen)
    case 'journal.went-back':
    case 'journal.elsewhere':
      return journalProblemLine(seen.label, seen.problem)
    case 'conflicts.counted': {
      const { label, open } = seen
      if (open === 0) return logLine('debug', 'No conflict is open.', { label, open })
      const message = `${open === 1 ? '1 conflict is' : `${open} conflicts are`} open; see "holdfast conflicts list".`
      return repeatableLine('warn', `conflicts ${label} ${open}`, message, { label, open })
    }
  }
}

function journalProblemLine(label: string, { code, message, suggestion }: Problem): LogLine {
  return repeatableLine('warn', `${code} ${message}`, message, { code, label, suggestion })
}

/** Always printed: each time something else is lost. */
function backLine(seen: Extract<JournalObservation, { type: 'primary.went-back' }>): LogLine {
  const { label, reason, counts, rows, problem } = seen
  const missing = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const lost = missing === 1 ? '1 acknowledged write is' : `${missing} acknowledged writes are`
  const message = `The primary went back${missing === 0 ? '' : `: ${lost} missing`}.`
  const { code, message: detail, suggestion } = problem
  return logLine('error', message, { code, label, reason, missing, rows, detail, suggestion })
}

function carriedLine(seen: Extract<JournalObservation, { type: 'journal.carried' }>): LogLine {
  const { label, transactions, parked, settled, entries, tookMs, left } = seen
  const carried = `${transactions === 1 ? '1 transaction' : `${transactions} transactions`}`
  const rest = [
    parked === 0 ? '' : `, parked ${parked}`,
    settled === 0 ? '' : `, ${settled === 1 ? '1 conflict' : `${settled} conflicts`} settled by policy`,
    left === 0 ? '' : `; ${left} left`,
  ].join('')
  const fields = { label, transactions, parked, settled, entries, tookMs: Math.round(tookMs), left }
  return logLine('info', `Carried ${carried} to the primary${rest}.`, fields)
}
