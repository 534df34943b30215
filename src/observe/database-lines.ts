import { writeBlockSentence } from '../database/machine/write-block.ts'
import type { DatabaseObservation } from '../database/supervisor/observation.ts'
import type { Fault } from '../driver/fault.ts'
import { defectLine, type Line, type LineLevel, line, repeatable } from './line.ts'

type Of<T extends DatabaseObservation['type']> = Extract<DatabaseObservation, { type: T }>

/** What an observation of the database room says in the log; null when it says nothing. */
export function databaseLine(seen: DatabaseObservation): Line | null {
  switch (seen.type) {
    case 'connection.changed':
      return changedLine(seen)
    case 'connection.attempt.failed': {
      const { what, attempt, fault } = seen
      // A summary repeats the first of many: a number in it would say that it was the first each time.
      const which = attempt === 1 ? '' : ` (attempt ${attempt})`
      const message = `${capital(attemptWords[what])} failed${which}: ${fault.summary}`
      return repeatable('warn', `${what} ${fault.kind} ${fault.code}`, message, {
        what,
        attempt,
        ...faultFields(fault),
      })
    }
    case 'store.opened': {
      const { shown, driver, label } = seen
      return line('info', `Opened ${label} as ${shown}.`, { store: shown, driver, label })
    }
    case 'store.advised': {
      const { shown, label, advice } = seen
      return repeatable('info', `advice ${label} ${advice}`, advice, { store: shown, label })
    }
    case 'store.closed':
      return line('info', `Closed ${seen.label}.`, { role: seen.role, driver: seen.driver, label: seen.label })
    case 'store.checked':
      return checkedLine(seen)
    case 'fallback.writes':
      return seen.block === null
        ? line('info', 'The fallback takes writes again while the primary is away.', { block: null })
        : line('warn', writeBlockSentence(seen.block), { block: seen.block })
    case 'work.rerun': {
      const { attempt, tries, fault } = seen
      return repeatable('warn', `rerun ${fault.code}`, `Work is run again: ${fault.summary}`, {
        attempt,
        tries,
        ...faultFields(fault),
      })
    }
    case 'work.failed': {
      const { attempt, fault, isLast } = seen
      // A row that breaks a rule of its collection is the caller's affair.
      const level: LineLevel = fault.kind === 'constraint' ? 'debug' : isLast ? 'error' : 'warn'
      const fields = { attempt, ...faultFields(fault) }
      return repeatable(
        level,
        `failed ${level} ${fault.kind} ${fault.code}`,
        `Work failed: ${fault.summary}`,
        fields,
        fault.cause,
      )
    }
    case 'database.defect':
      return defectLine(seen)
  }
}

const attemptWords: Readonly<Record<Of<'connection.attempt.failed'>['what'], string>> = {
  primary: 'opening the primary',
  fallback: 'opening the fallback',
  probe: 'the probe of the primary',
  carry: 'carrying the journal to the primary',
  switch: 'switching back to the primary',
}

/** One line per change of state, loud when less serves than before. */
function changedLine({ from, to, reason, declared, fault, lastedMs, store }: Of<'connection.changed'>): Line {
  // The line before, on the way here, has said it.
  const isSaid = fault === null || (from === 'CONNECTING_FALLBACK' && to === 'FALLBACK_CONNECTED')
  const why = isSaid ? '' : `: ${fault.summary}`
  // Whoever declared no primary has never heard of a fallback; programs find the states' own words in the fields.
  const named = (word: string): string =>
    declared ? word : word.replace('FALLBACK', 'LOCAL').replace('fallback', 'local')
  const where = store === null ? '' : ` (${store})`
  return line(changedLevel(to, fault), `${named(from)} -> ${named(to)}${where}, because ${named(reason)}${why}`, {
    from,
    to,
    reason,
    lastedMs: Math.round(lastedMs),
    store,
    ...(fault === null ? {} : faultFields(fault)),
  })
}

function changedLevel(to: Of<'connection.changed'>['to'], fault: Fault | null): LineLevel {
  if (to === 'CONNECTION_ERROR') return 'error'
  return fault === null ? 'info' : 'warn'
}

function checkedLine({ label, why, verdict, fault }: Of<'store.checked'>): Line {
  const reason = why === 'slow' ? 'a statement was slow' : (fault?.summary ?? 'a fault')
  const message = `${label} was doubted (${reason}): ${verdict === 'lost' ? 'it is lost' : 'it answers'}.`
  const fields = { label, why, verdict, ...(fault === null ? {} : faultFields(fault)) }
  return repeatable('warn', `checked ${label} ${why} ${verdict}`, message, fields)
}

function faultFields(fault: Fault): Readonly<Record<string, unknown>> {
  const { kind, code, summary, hint, ambiguous } = fault
  return { fault: { kind, code, summary, hint, ...(ambiguous ? { ambiguous } : {}) } }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
