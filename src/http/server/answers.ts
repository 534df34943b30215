import type { IncomingMessage, ServerResponse } from 'node:http'
import { HoldfastError } from '../../errors.ts'
import { endWith } from './backpressure.ts'
import { type HeaderList, writeHead } from './fast-response.ts'

/** Headers of one answer, beside those that every answer has. */
export type AnswerHeaders = Readonly<Record<string, string | number>>

/** How much of a refused body is still read, and for how long, so that its sender gets to see the refusal. */
const lingerBytes = 8 * 1024 * 1024
const lingerMs = 2_000

const refusals = new WeakMap<ServerResponse, unknown>()

/** Answers with JSON that is already text. Does nothing when the caller is gone or was answered before. */
export function sendJson(res: ServerResponse, status: number, text: string, headers?: AnswerHeaders): void {
  sendText(res, status, 'application/json', text, headers)
}

/** Answers with text of any content type. Does nothing when the caller is gone or was answered before. */
export function sendText(
  res: ServerResponse,
  status: number,
  contentType: string,
  text: string,
  headers?: AnswerHeaders,
): void {
  if (res.headersSent || res.destroyed) return
  const bytes = Buffer.byteLength(text)
  const list: HeaderList = ['Content-Type', contentType, 'Content-Length', bytes]
  for (const name in headers) list.push(name, headers[name] ?? '')
  writeHead(res, status, list)
  endWith(res, text, bytes)
}

/**
 * Answers with an RFC 9457 problem. A `HoldfastError` speaks for itself; whatever else was thrown is INTERNAL_ERROR and none
 * of its words leave. When an answer has begun already it is cut, so that nobody takes a half for a whole.
 */
export function sendError(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  if (res.destroyed || res.writableEnded) return
  refusals.set(res, error)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const refusal = error instanceof HoldfastError ? error : new HoldfastError('INTERNAL_ERROR')
  const text = problemText(refusal, requestIdOf(res))
  res.setHeader('Cache-Control', 'no-store')
  if (refusal.retryAfterS !== undefined) res.setHeader('Retry-After', Math.max(0, Math.ceil(refusal.retryAfterS)))
  if (refusal.code === 'TOKEN_MISSING') res.setHeader('WWW-Authenticate', 'Bearer realm="holdfast"')
  // A row's validator says nothing about a refusal.
  res.removeHeader('ETag')
  if (leavesBodyBehind(req, refusal)) sendAndLinger(req, res, refusal.status, text)
  else sendText(res, refusal.status, 'application/problem+json', text)
}

/** What `sendError` was given for this answer, so that the server can notice it; undefined when it was not called. */
export function refusalOf(res: ServerResponse): unknown {
  return refusals.get(res)
}

/** The body of a problem, also for answers that are written without a `ServerResponse`. */
export function problemText(refusal: HoldfastError, requestId: string | undefined): string {
  return JSON.stringify({
    // Relative to the service itself, which explains each code there.
    type: `/errors/${refusal.code}`,
    title: refusal.title,
    status: refusal.status,
    code: refusal.code,
    detail: refusal.detail,
    hint: refusal.hint,
    errors: refusal.errors,
    requestId,
  })
}

/** The id that the server gave this request; undefined outside of it. */
export function requestIdOf(res: ServerResponse): string | undefined {
  const id = res.getHeader('X-Request-Id') ?? ('requestId' in res ? res.requestId : undefined)
  return typeof id === 'string' ? id : undefined
}

/** True when the connection cannot be used again because too much of a body is still to come. */
function leavesBodyBehind(req: IncomingMessage, refusal: HoldfastError): boolean {
  if (req.complete) return false
  return refusal.code === 'BODY_TOO_LARGE' || Number(req.headers['content-length'] ?? 0) > lingerBytes
}

/**
 * Answers at once and closes only when the sender has stopped, or the bounds are reached: a socket that is closed with
 * unread bytes is reset, and many clients then report the reset instead of the answer.
 */
function sendAndLinger(req: IncomingMessage, res: ServerResponse, status: number, text: string): void {
  res.setHeader('Connection', 'close')
  res.writeHead(status, { 'Content-Type': 'application/problem+json', 'Content-Length': Buffer.byteLength(text) })
  if (req.method !== 'HEAD') res.write(text)
  let left = lingerBytes
  const end = () => {
    clearTimeout(timer)
    req.off('data', count).off('end', end).off('close', end).off('error', end)
    req.on('error', () => {})
    if (!res.writableEnded) res.end()
  }
  const count = (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) end()
  }
  const timer = setTimeout(end, lingerMs).unref()
  req.on('data', count).on('end', end).on('close', end).on('error', end)
  req.resume()
}
