import type { IncomingMessage, ServerResponse } from 'node:http'
import { HoldfastError } from '../../errors.ts'
import { endWith } from './backpressure.ts'
import { type HeaderList, writeHead } from './fast-response.ts'
import { mountPrefixOf } from './mount.ts'

/** Headers of one response, in addition to the common ones. */
export type AnswerHeaders = Readonly<Record<string, string | number>>

/** How much of a rejected body is still read, and for how long, so that the client receives the error. */
const lingerBytes = 8 * 1024 * 1024
const lingerMs = 2_000

const sentErrors = new WeakMap<ServerResponse, unknown>()

/** Sends JSON text. Does nothing if the client is gone or a response was sent before. */
export function sendJson(res: ServerResponse, status: number, text: string, headers?: AnswerHeaders): void {
  sendText(res, status, 'application/json', text, headers)
}

/** Sends text of any content type. Does nothing if the client is gone or a response was sent before. */
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
 * Sends an error as an RFC 9457 problem. Anything but a `HoldfastError` becomes INTERNAL_ERROR without its text. If a
 * response has started, its connection is destroyed, so that a part is not mistaken for the whole.
 */
export function sendError(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  if (res.destroyed || res.writableEnded) return
  sentErrors.set(res, error)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const failure = error instanceof HoldfastError ? error : new HoldfastError('INTERNAL_ERROR')
  const text = problemText(failure, requestIdOf(res), mountPrefixOf(req))
  res.setHeader('Cache-Control', 'no-store')
  if (failure.retryAfterS !== undefined) res.setHeader('Retry-After', Math.max(0, Math.ceil(failure.retryAfterS)))
  const challenge = challengeOf(failure)
  if (challenge !== null) res.setHeader('WWW-Authenticate', challenge)
  // The ETag of a row does not describe an error.
  res.removeHeader('ETag')
  if (leavesBodyUnread(req, failure)) sendAndLinger(req, res, failure.status, text)
  else sendText(res, failure.status, 'application/problem+json', text)
}

/** What RFC 6750 has a client know about the token that it needs. */
function challengeOf({ code }: HoldfastError): string | null {
  switch (code) {
    case 'TOKEN_MISSING':
      return 'Bearer realm="holdfast"'
    case 'TOKEN_INVALID':
      return 'Bearer realm="holdfast", error="invalid_token"'
    case 'SCOPE_MISSING':
      return 'Bearer realm="holdfast", error="insufficient_scope"'
    default:
      return null
  }
}

/** The error that `sendError` received for this response, for the log; undefined if there was none. */
export function sentErrorOf(res: ServerResponse): unknown {
  return sentErrors.get(res)
}

/** The body of an error response, also for those written without a `ServerResponse`. */
export function problemText(error: HoldfastError, requestId: string | undefined, mount = ''): string {
  return JSON.stringify({
    // Relative: the service explains each code at this path.
    type: `${mount}/errors/${error.code}`,
    title: error.title,
    status: error.status,
    code: error.code,
    detail: error.detail,
    hint: error.hint,
    errors: error.errors,
    operation: error.operation,
    requestId,
  })
}

/** The id that the server assigned to this request; undefined outside the server. */
export function requestIdOf(res: ServerResponse): string | undefined {
  const id = res.getHeader('X-Request-Id') ?? ('requestId' in res ? res.requestId : undefined)
  return typeof id === 'string' ? id : undefined
}

/** True if too much of the body is still to come for the connection to be reused. */
function leavesBodyUnread(req: IncomingMessage, error: HoldfastError): boolean {
  if (req.complete) return false
  return error.code === 'BODY_TOO_LARGE' || Number(req.headers['content-length'] ?? 0) > lingerBytes
}

/**
 * Responds at once, and closes only when the client stops sending or a limit is reached: closing a socket with unread
 * bytes resets it, and many clients then report the reset instead of the response.
 */
function sendAndLinger(req: IncomingMessage, res: ServerResponse, status: number, text: string): void {
  res.setHeader('Connection', 'close')
  res.writeHead(status, { 'Content-Type': 'application/problem+json', 'Content-Length': Buffer.byteLength(text) })
  res.write(text)
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
