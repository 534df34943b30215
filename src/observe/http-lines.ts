import type { HttpObservation } from '../http/server/observation.ts'
import { type Line, type LineLevel, line, repeatable } from './line.ts'

/** What an observation of the HTTP room says in the log; null when it says nothing. */
export function httpLine(seen: HttpObservation, requests: boolean): Line | null {
  switch (seen.type) {
    case 'http.listening':
      return line('info', `Listening on ${seen.url}.`, { url: seen.url, host: seen.host, port: seen.port })
    case 'request.answered':
      return requests ? requestLine(seen) : null
    case 'request.failed': {
      const { requestId, method, route, code, error } = seen
      const message = `${method} ${route} failed with ${code}.`
      const fields = { requestId, method, route, code }
      // The answer promised that the log has the cause under its request id, so each INTERNAL_ERROR is said.
      if (code === 'INTERNAL_ERROR') return line('error', message, fields, error)
      return repeatable('error', `request ${method} ${route} ${code}`, message, fields, error)
    }
    case 'connection.malformed': {
      const { code, status } = seen
      return repeatable('info', `malformed ${code}`, `Something came that is no request (${code}).`, { code, status })
    }
    case 'connection.dropped':
      return repeatable('warn', 'dropped', `A connection over the limit of ${seen.limit} was closed.`, {
        limit: seen.limit,
      })
    case 'http.closed': {
      const { tookMs, destroyed } = seen
      const rest = destroyed === 0 ? '' : `; ${destroyed} requests were cut at the limit`
      return line(destroyed === 0 ? 'info' : 'warn', `HTTP is closed${rest}.`, {
        tookMs: Math.round(tookMs),
        destroyed,
      })
    }
  }
}

function requestLine(seen: Extract<HttpObservation, { type: 'request.answered' }>): Line {
  const { requestId, method, path, route, status, aborted } = seen
  const durationMs = Math.round(seen.durationMs * 100) / 100
  const end = aborted ? ', but the caller had left' : ''
  const fields = { requestId, method, path, route, status, durationMs, ...(aborted ? { aborted } : {}) }
  return line(requestLevel(route, status), `${method} ${path} ${status} in ${durationMs} ms${end}`, fields)
}

/** Probes and scrapes come every few seconds for ever; only their failures are of interest. */
function requestLevel(route: string, status: number): LineLevel {
  if (status >= 500) return 'warn'
  return route.startsWith('/health') || route === '/metrics' ? 'debug' : 'info'
}
