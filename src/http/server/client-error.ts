import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, HoldfastError } from '../../errors.ts'
import { problemText, sendError } from './answers.ts'
import { drawRequestId, type Exchange } from './exchange.ts'
import type { ObserveHttp } from './observation.ts'

/** How long a rejected client may keep sending before its socket is destroyed. */
const lingerMs = 500

/**
 * Handles bytes that are not a valid request or arrive too slowly: sends an error if it still can, then closes the
 * connection. Node calls it repeatedly while such bytes arrive; only the first call per socket acts.
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
    const failure = new HoldfastError(codeOf(reason, error))
    if (reason === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    observe({ type: 'connection.malformed', code: reason, status: failure.status })
    answer(inFlight, socket, failure)
  }
}

/** Handles CONNECT, for which Node creates no response: sends METHOD_NOT_ALLOWED and closes the connection. */
export function createConnectHandler(
  inFlight: Iterable<Exchange>,
  observe: ObserveHttp,
): (req: IncomingMessage, socket: Duplex) => void {
  return (_req, socket) => {
    const failure = new HoldfastError('METHOD_NOT_ALLOWED')
    socket.on('error', () => socket.destroy())
    observe({ type: 'connection.malformed', code: 'CONNECT', status: failure.status })
    answer(inFlight, socket, failure)
  }
}

/** Earlier requests on the connection get their responses first; the request with the broken body gets the error. */
function answer(inFlight: Iterable<Exchange>, socket: Duplex, failure: HoldfastError): void {
  const pending = [...inFlight].filter(({ req }) => req.socket === socket)
  if (pending.length === 0) answerRaw(socket, failure)
  let left = pending.length
  for (const { req, res } of pending) {
    res.once('close', () => {
      left -= 1
      if (left === 0) answerRaw(socket, failure)
    })
    if (req.complete) continue
    if (!res.headersSent) res.setHeader('Connection', 'close')
    sendError(req, res, failure)
  }
}

function answerRaw(socket: Duplex, failure: HoldfastError): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const requestId = drawRequestId()
  const body = problemText(failure, requestId)
  const head = [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status] ?? ''}`,
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
  // Keep reading for a moment: closing with unread bytes resets the connection and loses the response.
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

/** Node reports an invalid method for everything that does not start with a known one, even a TLS handshake. */
function looksLikeHttp(error: Error): boolean {
  const packet = 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket : Buffer.alloc(0)
  return /^[A-Za-z-]+ \S+ HTTP\/1\.[01]\r?$/m.test(packet.toString('latin1'))
}
