import type { HttpObservation } from '../http/server/observation.ts'
import { type LineLevel, type LogLine, logLine, maxMessageLength } from './log-line.ts'

/** What the log knows of one answered request. */
export type AnsweredRequest = Extract<HttpObservation, { type: 'request.answered' }>

/** Characters of a path in a message; the field has all of it. */
const maxPathLength = 60

/** A character that JSON may escape, or the ellipsis of a text that was cut. */
const odd = /[^ !#-[\]-~]/

/** The line of an answered request. */
export function requestLine(seen: AnsweredRequest): LogLine {
  const { requestId, method, path, route, caller, status, aborted } = seen
  const durationMs = roundedMs(seen)
  const known = caller === null ? {} : { caller }
  const fields = { requestId, method, path, route, ...known, status, durationMs, ...(aborted ? { aborted } : {}) }
  return logLine(requestLevel(seen), requestMessage(seen, durationMs), fields)
}

/**
 * The same line as JSON, byte for byte what pino makes of it, for a fifth of the processor time: only requests come
 * thousands of times a second. Null when something must be escaped or cut: pino makes that line.
 */
export function requestJson(seen: AnsweredRequest, level: LineLevel, time: string): string | null {
  const { requestId, method, path, route, caller, status, aborted } = seen
  // Formatted once: a fraction takes long.
  const durationMs = String(roundedMs(seen))
  // It contains the method and, if that was not cut, the path.
  const message = requestMessage(seen, durationMs)
  if (
    message.length > maxMessageLength ||
    odd.test(message + requestId + route + (caller ?? '')) ||
    !Number.isInteger(status)
  )
    return null
  const by = caller === null ? '' : `"caller":"${caller}",`
  const end = aborted ? ',"aborted":true' : ''
  return (
    `{"level":"${level}","time":"${time}","event":"request.answered","requestId":"${requestId}","method":"${method}",` +
    `"path":"${path}","route":"${route}",${by}"status":${status},"durationMs":${durationMs}${end},"msg":"${message}"}\n`
  )
}

/** Probes and scrapes come every few seconds; only their failures matter. */
export function requestLevel({ route, status }: AnsweredRequest): LineLevel {
  if (status >= 500) return 'warn'
  return route.startsWith('/health') || route === '/metrics' ? 'debug' : 'info'
}

function requestMessage({ method, path, status, aborted }: AnsweredRequest, durationMs: number | string): string {
  const shown = path.length > maxPathLength ? `${path.slice(0, maxPathLength - 1)}…` : path
  return `${method} ${shown} ${status} in ${durationMs} ms${aborted ? ', client disconnected' : ''}`
}

function roundedMs({ durationMs }: AnsweredRequest): number {
  return Math.round(durationMs * 100) / 100
}
