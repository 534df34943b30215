import { type FaultKind, faultError } from '../../src/driver/kit/driver-kit.ts'

/** pg's own message for a lost connection, by which it is recognised. */
const ended = 'Connection terminated unexpectedly'

/** The event that `ws` passes to listeners for errors. */
interface ErrorEventLike {
  readonly error: unknown
}

/**
 * The error of a WebSocket in a form that PostgreSQL's driver classifies: errors of sockets and TLS as they are, a refused
 * upgrade as a fault of its own (nothing was sent yet), and any other as a lost connection. Total.
 */
export function readRefusal(event: unknown): unknown {
  const error = isErrorEvent(event) ? event.error : event
  if (!(error instanceof Error)) return new Error(ended, { cause: error })
  const status = /^Unexpected server response: (\d{3})$/.exec(error.message)?.[1]
  if (status !== undefined) return refusalOf(Number(status), error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (
    code.startsWith('HPE_') ||
    /^(?:Invalid (?:Upgrade|Sec-WebSocket)|Server (?:sent|indicated))/.test(error.message)
  ) {
    return notWebSocket('NEON_NOT_WEBSOCKET', error)
  }
  // Only `ws` knows these codes, which are of frames that break the protocol.
  return code.startsWith('WS_ERR_') ? new Error(ended, { cause: error }) : error
}

/** The other side closed the WebSocket; its code is for the log. */
export function closedError(code: number, reason: string): Error {
  const words = reason === '' ? '' : `: ${reason}`
  return new Error(ended, { cause: new Error(`The WebSocket was closed with code ${code}${words}`) })
}

function refusalOf(status: number, cause: Error): Error {
  const refusal = (kind: FaultKind, summary: string, hint: string): Error =>
    faultError(kind, `NEON_HTTP_${status}`, summary, hint, { cause })
  if (status === 401 || status === 403 || status === 407) {
    const summary = 'The WebSocket proxy in front of the database rejected the connection.'
    return refusal('auth', summary, 'Check which callers and tokens it allows, and NEON_WS_PROXY.')
  }
  if (status === 429) {
    return refusal('capacity', 'Neon accepts no more connections for now.', 'Lower POOL_SIZE, or wait.')
  }
  if (status >= 500 || status === 408) {
    const summary = 'The WebSocket proxy in front of the database cannot reach it.'
    return refusal(
      'unreachable',
      summary,
      'Check the state of the database in the console of Neon, or the log of your proxy.',
    )
  }
  return notWebSocket(`NEON_HTTP_${status}`, cause)
}

function notWebSocket(code: string, cause: Error): Error {
  const summary = 'The server at the address does not accept WebSockets.'
  return faultError('configuration', code, summary, 'Check host and port, and the path in NEON_WS_PROXY.', { cause })
}

function isErrorEvent(event: unknown): event is ErrorEventLike {
  return typeof event === 'object' && event !== null && !(event instanceof Error) && 'error' in event
}
