import type { CopyObservation } from '../copy/observation.ts'
import { type LogLine, logLine, repeatableLine } from './log-line.ts'
import { problemLine } from './service-lines.ts'

/** The log line of an observation of the copy. */
export function copyLine(seen: CopyObservation): LogLine {
  switch (seen.type) {
    case 'copy.began': {
      const { label, tables } = seen
      const what = tables.length === 1 ? '1 table' : `${tables.length} tables`
      return logLine('info', `Copying ${what} of the primary into the fallback.`, { label, tables })
    }
    case 'copy.completed': {
      const { collection, rows, bytes, tookMs } = seen
      const message = `The copy of ${collection} is complete: ${rows === 1 ? '1 row' : `${rows} rows`}.`
      return logLine('info', message, { collection, rows, bytes, tookMs: Math.round(tookMs) })
    }
    case 'copy.looked': {
      const { collection, rows, written, removed, tookMs } = seen
      const fields = { collection, rows, written, removed, tookMs: Math.round(tookMs) }
      return repeatableLine('debug', `looked ${collection}`, `Compared rows of ${collection} with the primary.`, fields)
    }
    case 'copy.written-through': {
      const { collection, rows } = seen
      const message = `Wrote rows of ${collection} through to the copy.`
      return repeatableLine('debug', `written ${collection}`, message, { collection, rows })
    }
    case 'copy.reset': {
      const { label } = seen
      return logLine('warn', 'Dropped the copy: the primary was set back. It is copied again.', { label })
    }
    case 'copy.failed': {
      const { at, label, fault, retryMs } = seen
      const { kind, code, summary, hint } = fault
      const what = at === 'primary' ? 'Could not read the primary for the copy' : 'Could not write the copy'
      const fields = { label, fault: { kind, code, summary, hint }, retryMs: Math.round(retryMs) }
      const underlying = { error: fault.cause, isExpected: true }
      return repeatableLine('warn', `copy ${at} ${code}`, `${what}: ${summary}`, fields, underlying)
    }
    case 'copy.problem':
      return problemLine(seen.problem)
    case 'copy.problem.ended': {
      const { code, setting } = seen.problem
      return logLine('info', `Resolved: ${code}.`, { code, setting })
    }
  }
}
