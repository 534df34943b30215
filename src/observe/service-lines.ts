import { formatOrigin, type Problem } from '../config/problem.ts'
import { ListenError } from '../http/server/listen.ts'
import type { TokenSource } from '../http/status/status-source.ts'
import { defectLine, type LogLine, logLine, repeatableLine } from './log-line.ts'
import type { ServiceObservation } from './observation.ts'

/** The log line of an observation of the service. */
export function serviceLine(seen: ServiceObservation): LogLine {
  switch (seen.type) {
    case 'service.started': {
      const { version, node, pid, tookMs } = seen
      return logLine('info', `Holdfast ${version} started.`, { version, node, pid, tookMs: Math.round(tookMs) })
    }
    case 'problem.found':
      return problemLine(seen.problem)
    case 'problem.ended': {
      const { code, setting } = seen.problem
      return logLine('info', `Resolved: ${code}.`, { code, setting })
    }
    case 'database.undeclared':
      return logLine('info', `${seen.why.replace(/\.$/, '')}; using the embedded database.`)
    case 'token.found':
      return tokenLine(seen.source)
    case 'collection.loaded': {
      const { name, path } = seen
      return logLine('info', `Serving collection ${name} at ${path}.`, { name, path })
    }
    case 'statement.sent':
      return logLine('info', 'SQL statement', { sql: seen.sql })
    case 'settings.reloaded':
      return reloadedLine(seen)
    case 'reload.refused':
      return logLine('error', 'The new settings are not valid; the running configuration is kept.', {
        problems: seen.problems,
      })
    case 'service.closing': {
      const { why, withinMs } = seen
      return logLine('info', `Shutting down (${why}), within ${withinMs} ms.`, { why, withinMs })
    }
    case 'service.closed':
      return logLine('info', 'Shut down.', { tookMs: Math.round(seen.tookMs) })
    case 'service.failed': {
      const { message, error } = seen
      return logLine('fatal', message, {}, { error, isExpected: error instanceof ListenError })
    }
    case 'service.defect':
      return defectLine(seen)
  }
}

/** A store that is opened repeatedly finds the same problem each time. */
export function problemLine(problem: Problem): LogLine {
  const { code, severity, setting, origin, part, message, suggestion } = problem
  const level = severity === 'error' ? 'error' : severity === 'warning' ? 'warn' : 'info'
  const from = origin === null ? null : formatOrigin(origin)
  const key = `${code} ${setting} ${message} ${suggestion}`
  return repeatableLine(level, key, message, { code, setting, origin: from, part, suggestion })
}

function tokenLine(source: TokenSource): LogLine {
  switch (source.from) {
    case 'setting':
      return logLine('info', 'Using the admin token from ADMIN_TOKEN.', { source: source.from })
    case 'file': {
      const { path, fresh } = source
      const how = fresh ? 'saved a new admin token in' : 'using the admin token in'
      return logLine('info', `ADMIN_TOKEN is not set; ${how} ${path}.`, { source: source.from, path })
    }
    case 'memory':
      return logLine('warn', 'No admin token could be read or saved; admin endpoints are locked. Set ADMIN_TOKEN.', {
        source: source.from,
      })
  }
}

function reloadedLine(seen: Extract<ServiceObservation, { type: 'settings.reloaded' }>): LogLine {
  const { changed, needsRestart, added, removed } = seen
  const restart = needsRestart.length === 0 ? '' : `, ${needsRestart.length} more after a restart`
  const collections = [...namedList('added', added), ...namedList('removed', removed)].join('; ')
  const count = `${changed.length === 0 ? 'nothing' : changed.length} changed${restart}`
  const message = `Reloaded the settings: ${count}${collections === '' ? '' : ` (collections ${collections})`}.`
  return logLine('info', message, { changed, needsRestart, added, removed })
}

function namedList(what: string, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : [`${what}: ${names.join(', ')}`]
}
