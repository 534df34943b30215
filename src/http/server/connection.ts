import type { IncomingMessage, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, HoldfastError } from '../../errors.ts'
import { problemText, sendError } from './answers.ts'
import type { ObserveHttp } from './observation.ts'
import { drawRequestId } from './request-id.ts'

/** How long a refused sender may go on sending before its socket is destroyed. */
const lingerMs = 500

/** One request that is being answered. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Notices the end of the answer, whole or cut; once, however often it is called. */
  end(): void
}

/**
 * What the server does with bytes that are no request, or that come too slowly: a problem as answer where one can still
 * be sent, and the end of the connection. Called by node again and again while such bytes arrive; acts once.
 */
export function createClientErrorHandler(
  inFlight: Iterable<Exchange>,
  observe: ObserveHttp,
): (error: Error, socket: Duplex) => void {
  const seen = new WeakSet<Duplex>()
  return (error, socket) => {
    if (seen.has(socket)) return
    seen.add(socket)
    const reason = 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN'
    const refusal = new HoldfastError(codeOf(reason, error))
    if (reason === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    observe({ type: 'connection.malformed', code: reason, status: refusal.status })
    const pending = [...inFlight].filter(({ req }) => req.socket === socket)
    if (pending.length === 0) return answerRaw(socket, refusal)
    answerPending(pending, socket, refusal)
  }
}

/** What the server does with CONNECT, which node hands over without a response: METHOD_NOT_ALLOWED, and the end. */
export function createConnectHandler(
  inFlight: Iterable<Exchange>,
  observe: ObserveHttp,
): (req: IncomingMessage, socket: Duplex) => void {
  return (_req, socket) => {
    const refusal = new HoldfastError('METHOD_NOT_ALLOWED')
    socket.on('error', () => socket.destroy())
    observe({ type: 'connection.malformed', code: 'CONNECT', status: refusal.status })
    const pending = [...inFlight].filter(({ req }) => req.socket === socket)
    if (pending.length === 0) answerRaw(socket, refusal)
    else answerPending(pending, socket, refusal)
  }
}

/** Earlier requests of the same connection get their answers first; the one whose body broke gets the refusal. */
function answerPending(pending: readonly Exchange[], socket: Duplex, refusal: HoldfastError): void {
  let left = pending.length
  for (const { req, res } of pending) {
    res.once('close', () => {
      left -= 1
      if (left === 0) answerRaw(socket, refusal)
    })
    if (req.complete) continue
    if (!res.headersSent) res.setHeader('Connection', 'close')
    sendError(req, res, refusal)
  }
}

function answerRaw(socket: Duplex, refusal: HoldfastError): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const requestId = drawRequestId()
  const body = problemText(refusal, requestId)
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ]
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.on('close', () => clearTimeout(timer)).on('error', () => socket.destroy())
  socket.on('end', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Read on for a moment: closing over unread bytes resets the connection and takes the answer with it.
  socket.resume()
}

function codeOf(reason: string, error: Error): ErrorCode {
  switch (reason) {
    case 'HPE_HEADER_OVERFLOW':
      return 'HEADERS_TOO_LARGE'
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'BODY_TOO_LARGE'
    case 'HPE_INVALID_METHOD':
      return looksLikeHttp(error) ? 'METHOD_NOT_ALLOWED' : 'REQUEST_INVALID'
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'REQUEST_TIMEOUT'
    default:
      return 'REQUEST_INVALID'
  }
}

/** Node calls everything that does not begin with a method it knows an invalid method, a TLS handshake too. */
function looksLikeHttp(error: Error): boolean {
  const packet = 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket : Buffer.alloc(0)
  return /^[A-Za-z-]+ \S+ HTTP\/1\.[01]\r?$/m.test(packet.toString('latin1'))
}
