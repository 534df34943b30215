import type { HttpObservation } from '../http/server/observation.ts'
import { type LogLine, logLine, repeatableLine } from './log-line.ts'
import type { AnsweredRequest } from './request-line.ts'

/** The log line of an observation of the HTTP modules, except that of an answered request. */
export function httpLine(seen: Exclude<HttpObservation, AnsweredRequest>): LogLine {
  switch (seen.type) {
    case 'http.listening': {
      const { url, host, port } = seen
      return logLine('info', `Listening on ${url}.`, { url, host, port })
    }
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
