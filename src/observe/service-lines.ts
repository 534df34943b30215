import { formatOrigin, type Problem } from '../config/problem.ts'
import type { TokenSource } from '../http/status/status-source.ts'
import { leftSentence } from '../http/status/wording.ts'
import { defectLine, type Line, line, repeatable } from './line.ts'
import type { ServiceObservation } from './observation.ts'

/** What an observation of the service says in the log. */
export function serviceLine(seen: ServiceObservation): Line {
  switch (seen.type) {
    case 'service.started': {
      const { version, node, pid, tookMs } = seen
      return line('info', `Holdfast ${version} has started.`, { version, node, pid, tookMs: Math.round(tookMs) })
    }
    case 'problem.found':
      return problemLine(seen.problem)
    case 'database.undeclared':
      return line('info', `${seen.why} The embedded database is the database.`)
    case 'rows.left':
      return leftLine(seen)
    case 'token.found':
      return tokenLine(seen.source)
    case 'collection.loaded':
      return line('info', `Collection ${seen.name} is served at ${seen.path}.`, { name: seen.name, path: seen.path })
    case 'statement.sent':
      return line('info', seen.sql, { sql: true })
    case 'settings.reloaded':
      return reloadLine(seen)
    case 'reload.refused':
      return line('error', 'The new settings are refused; the running ones stay.', { problems: seen.problems })
    case 'service.closing':
      return line('info', `Closing (${seen.why}), within ${seen.withinMs} ms.`, {
        why: seen.why,
        withinMs: seen.withinMs,
      })
    case 'service.closed':
      return line('info', 'Closed.', { tookMs: Math.round(seen.tookMs) })
    case 'service.failed':
      return line('fatal', seen.message, {}, seen.error)
    case 'service.defect':
      return defectLine(seen)
  }
}

/** A problem in one line: what, where from, what to do. A store that is opened again and again finds the same each time. */
function problemLine(problem: Problem): Line {
  const { code, severity, setting, origin, part, message, suggestion } = problem
  const level = severity === 'error' ? 'error' : severity === 'warning' ? 'warn' : 'info'
  const from = origin === null ? null : formatOrigin(origin)
  const text = `${message} ${suggestion}`
  return repeatable(level, `${code} ${setting} ${text}`, text, { code, setting, origin: from, part, suggestion })
}

function leftLine({ label, rows }: Extract<ServiceObservation, { type: 'rows.left' }>): Line {
  const each = Object.entries(rows.collections).map(([name, count]) => `${name}: ${count}`)
  const text = `${leftSentence(rows)} (${each.join(', ')}; in ${label}).`
  return repeatable('warn', `left ${text}`, text, {
    total: rows.total,
    more: rows.isMore,
    collections: rows.collections,
  })
}

function tokenLine(source: TokenSource): Line {
  switch (source.from) {
    case 'setting':
      return line('info', 'The admin token is the value of ADMIN_TOKEN.', { source: source.from })
    case 'file': {
      const how = source.fresh ? 'was drawn and written to' : 'is in'
      const message = `No ADMIN_TOKEN is set: the admin token ${how} ${source.path}. Set ADMIN_TOKEN to choose your own.`
      return line('info', message, { source: source.from, path: source.path })
    }
    case 'memory':
      return line('warn', 'No ADMIN_TOKEN is set and none could be kept: nobody is admin. Set ADMIN_TOKEN.', {
        source: source.from,
      })
  }
}

function reloadLine({ changed, needsRestart }: Extract<ServiceObservation, { type: 'settings.reloaded' }>): Line {
  const now = changed.length === 0 ? 'nothing changed' : `changed: ${changed.join(', ')}`
  const later = needsRestart.length === 0 ? '' : `; in force after a restart: ${needsRestart.join(', ')}`
  return line('info', `Settings were read anew; ${now}${later}.`, { changed, needsRestart })
}
