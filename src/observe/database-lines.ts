import { UnusableDeclaration } from '../database/machine/faults.ts'
import { writeBlockSentence } from '../database/machine/write-block.ts'
import type { DatabaseObservation } from '../database/supervisor/observation.ts'
import type { Fault } from '../driver/fault.ts'
import { defectLine, type LineLevel, type LogLine, logLine, repeatableLine } from './log-line.ts'

type Of<T extends DatabaseObservation['type']> = Extract<DatabaseObservation, { type: T }>

/** The log line of an observation of the database modules. */
export function databaseLine(seen: DatabaseObservation): LogLine {
  switch (seen.type) {
    case 'connection.changed':
      return changedLine(seen)
    case 'connection.attempt.failed': {
      const { what, attempt, fault } = seen
      // Only from the second attempt on: the summary of repeated lines quotes the first one.
      const which = attempt === 1 ? '' : ` (attempt ${attempt})`
      const message = `${attemptWords[what]} failed${which}: ${fault.summary}`
      const fields = { what, attempt, ...faultFields(fault) }
      // The summary of an address that cannot be used says it all.
      const error = fault.cause instanceof UnusableDeclaration ? null : fault.cause
      const cause = { error, isExpected: true }
      return repeatableLine('warn', `${what} ${fault.kind} ${fault.code}`, message, fields, cause)
    }
    case 'store.opened': {
      const { shown, driver, label } = seen
      return logLine('info', `Opened the ${shown} database.`, { store: shown, driver, label })
    }
    case 'store.advised': {
      const { shown, label, advice } = seen
      return repeatableLine('info', `advice ${label} ${advice}`, advice, { store: shown, label })
    }
    case 'store.closed': {
      const { role, driver, label } = seen
      return logLine('info', `Closed the database.`, { role, driver, label })
    }
    case 'store.checked':
      return checkedLine(seen)
    case 'cluster.host':
      return hostLine(seen)
    case 'fallback.writes':
      return seen.block === null
        ? logLine('info', 'The fallback accepts writes again.', { block: null })
        : logLine(seen.block === 'split' ? 'error' : 'warn', writeBlockSentence(seen.block), { block: seen.block })
    case 'journal.left': {
      const { label, path, entries, isLosable } = seen
      const them = entries === 1 ? '1 change waits' : `${entries} changes wait`
      const risk = isLosable ? ' A restart of the container or the machine may lose them.' : ''
      const message = `${them} in the journal for the primary.${risk}`
      return logLine(isLosable ? 'error' : 'warn', message, { label, path, entries })
    }
    case 'work.rerun': {
      const { attempt, tries, fault } = seen
      const fields = { attempt, tries, ...faultFields(fault) }
      return repeatableLine('warn', `rerun ${fault.code}`, `Running work again: ${fault.summary}`, fields)
    }
    case 'work.failed':
      return workFailedLine(seen)
    case 'database.defect':
      return defectLine(seen)
  }
}

const hostWords: Readonly<Record<Of<'cluster.host'>['role'], readonly [LineLevel, string]>> = {
  serving: ['debug', 'serves'],
  standby: ['debug', 'is a standby'],
  writable: ['debug', 'accepts writes, too'],
  silent: ['info', 'does not answer'],
  orphan: ['info', 'accepts writes, but is no longer the primary: another server was promoted after it'],
  rival: ['warn', 'accepts writes on the same timeline as the primary'],
  stranger: ['error', 'belongs to another cluster; it is not used'],
}

function hostLine({ label, role, timeline, members, was }: Of<'cluster.host'>): LogLine {
  const [level, words] = hostWords[role]
  const fields = { label, role, was, timeline, members }
  return repeatableLine(level, `host ${label} ${role}`, `A host of the primary ${words}.`, fields)
}

const attemptWords: Readonly<Record<Of<'connection.attempt.failed'>['what'], string>> = {
  primary: 'Opening the primary database',
  fallback: 'Opening the fallback',
  probe: 'Probing the primary database',
  carry: 'Carrying the journal to the primary database',
  switch: 'Switching back to the primary database',
}

/** One line per change of state; a warning if less works than before. */
function changedLine(seen: Of<'connection.changed'>): LogLine {
  const { from, to, reason, fault, lastedMs, store } = seen
  return logLine(changedLevel(to, fault), changeSentence(seen), {
    from,
    to,
    reason,
    lastedMs: Math.round(lastedMs),
    store,
    ...(fault === null ? {} : faultFields(fault)),
  })
}

/** What happens now, and why. Without a declared primary, people know the fallback as the embedded database. */
function changeSentence({ from, to, reason, isFailover, declared, fault }: Of<'connection.changed'>): string {
  const why = fault === null ? '' : `: ${fault.summary.replace(/\.$/, '')}`
  const isFirst = reason === 'requested' && from === 'DISCONNECTED'
  switch (to) {
    case 'DISCONNECTED':
      return reason === 'reconfigured' ? 'Closing the database because settings changed.' : 'Closing the database.'
    case 'CONNECTING_PRIMARY':
      if (isFailover) return `Requests wait for another host of the primary database${why}.`
      return isFirst ? 'Opening the primary database (first request).' : `Opening the primary database again${why}.`
    case 'CONNECTING_FALLBACK':
      if (isFirst) return `Opening the ${declared ? 'fallback' : 'embedded database'} (first request).`
      return declared ? `Switching to the fallback${why}.` : `Opening the embedded database again${why}.`
    case 'PRIMARY_CONNECTED':
      return `Serving from the primary database${from === 'FALLBACK_CONNECTED' || isFailover ? ' again' : ''}.`
    case 'FALLBACK_CONNECTED':
      // The line before, on the way here, has named the fault.
      return `Serving from the ${declared ? 'fallback' : 'embedded database'}${from === 'CONNECTING_FALLBACK' ? '' : why}.`
    case 'CONNECTION_ERROR':
      return `No database is available${why}.`
  }
}

function changedLevel(to: Of<'connection.changed'>['to'], fault: Fault | null): LineLevel {
  if (to === 'CONNECTION_ERROR') return 'error'
  return fault === null ? 'info' : 'warn'
}

function checkedLine({ label, why, verdict, fault }: Of<'store.checked'>): LogLine {
  const after = why === 'slow' ? 'a slow statement' : 'a fault'
  const message = `Checked the database after ${after}: ${verdict === 'lost' ? 'not reachable' : 'still reachable'}.`
  const fields = { label, why, verdict, ...(fault === null ? {} : faultFields(fault)) }
  return repeatableLine('warn', `checked ${label} ${why} ${verdict}`, message, fields)
}

function workFailedLine({ attempt, fault, isLast }: Of<'work.failed'>): LogLine {
  // A row that violates a constraint of its collection concerns only its client.
  const level: LineLevel = fault.kind === 'constraint' ? 'debug' : isLast ? 'error' : 'warn'
  return repeatableLine(
    level,
    `failed ${level} ${fault.kind} ${fault.code}`,
    `Work failed: ${fault.summary}`,
    { attempt, ...faultFields(fault) },
    { error: fault.cause, isExpected: fault.kind !== 'statement' },
  )
}

function faultFields(fault: Fault): Readonly<Record<string, unknown>> {
  const { kind, code, summary, hint, ambiguous } = fault
  return { fault: { kind, code, summary, hint, ...(ambiguous ? { ambiguous } : {}) } }
}
