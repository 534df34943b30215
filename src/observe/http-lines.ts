import type { HttpObservation } from '../http/server/observation.ts'
import { type LineLevel, type LogLine, logLine, repeatableLine } from './log-line.ts'

/** Characters of a path in a message; the field has all of it. */
const maxPathLength = 60

/** The log line of an observation of the HTTP modules; null for a request if `requests` is false. */
export function httpLine(seen: HttpObservation, requests: boolean): LogLine | null {
  switch (seen.type) {
    case 'http.listening': {
      const { url, host, port } = seen
      return logLine('info', `Listening on ${url}.`, { url, host, port })
    }
    case 'request.answered':
      return requests ? requestLine(seen) : null
    case 'request.failed': {
      const { requestId, method, route, code, error } = seen
      const message = `${method} ${route} failed: ${code}.`
      const fields = { requestId, method, route, code }
      // The response refers the client to its request id in the log, so each of these is printed.
      if (code === 'INTERNAL_ERROR') return logLine('error', message, fields, { error })
      return repeatableLine('error', `request ${method} ${route} ${code}`, message, fields, { error, isExpected: true })
    }
    case 'connection.malformed': {
      const { code, status } = seen
      const message = `Received bytes that are not a valid HTTP request (${code}).`
      return repeatableLine('info', `malformed ${code}`, message, { code, status })
    }
    case 'connection.dropped': {
      const { limit } = seen
      return repeatableLine('warn', 'dropped', `Closed a connection above the limit of ${limit}.`, { limit })
    }
    case 'http.closed': {
      const { tookMs, destroyed } = seen
      const message = destroyed === 0 ? 'HTTP server closed.' : `HTTP server closed; requests cut off: ${destroyed}.`
      return logLine(destroyed === 0 ? 'info' : 'warn', message, { tookMs: Math.round(tookMs), destroyed })
    }
  }
}

function requestLine(seen: Extract<HttpObservation, { type: 'request.answered' }>): LogLine {
  const { requestId, method, path, route, status, aborted } = seen
  const durationMs = Math.round(seen.durationMs * 100) / 100
  const end = aborted ? ', client disconnected' : ''
  const fields = { requestId, method, path, route, status, durationMs, ...(aborted ? { aborted } : {}) }
  const shown = path.length > maxPathLength ? `${path.slice(0, maxPathLength - 1)}…` : path
  return logLine(requestLevel(route, status), `${method} ${shown} ${status} in ${durationMs} ms${end}`, fields)
}

/** Probes and scrapes come every few seconds; only their failures matter. */
function requestLevel(route: string, status: number): LineLevel {
  if (status >= 500) return 'warn'
  return route.startsWith('/health') || route === '/metrics' ? 'debug' : 'info'
}
