import { type FaultKind, faultError } from '../../src/driver/kit/driver-kit.ts'

/** What pg itself says of a connection that ended in the middle; by these words its kind is known. */
const ended = 'Connection terminated unexpectedly'

/** What `ws` gives to those who listen for its errors. */
interface Told {
  readonly error: unknown
}

/**
 * The error of a WebSocket, as PostgreSQL's own reader of errors knows it: those of sockets and of TLS as they are, a
 * refused upgrade as a fault of its own (it only happens while a connection is opened, when nothing was sent yet), and
 * all else as a connection that ended. Total.
 */
export function readRefusal(told: unknown): unknown {
  const error = isTold(told) ? told.error : told
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
  // Frames that no WebSocket sends have codes that nobody else knows.
  return code.startsWith('WS_ERR_') ? new Error(ended, { cause: error }) : error
}

/** The other side closed the WebSocket; which code it gave is for the log. */
export function closedError(code: number, reason: string): Error {
  const words = reason === '' ? '' : `: ${reason}`
  return new Error(ended, { cause: new Error(`The WebSocket was closed with code ${code}${words}`) })
}

function refusalOf(status: number, cause: Error): Error {
  const refusal = (kind: FaultKind, summary: string, hint: string): Error =>
    faultError(kind, `NEON_HTTP_${status}`, summary, hint, { cause })
  if (status === 401 || status === 403 || status === 407) {
    const summary = 'What takes WebSockets before the database refuses us.'
    return refusal('auth', summary, 'Look at what it allows: addresses of callers, tokens, NEON_WS_PROXY.')
  }
  if (status === 429) {
    return refusal('capacity', 'Neon takes no more connections from us for now.', 'Lower POOL_SIZE, or wait.')
  }
  if (status >= 500 || status === 408) {
    const summary = 'What takes WebSockets before the database cannot reach it.'
    return refusal(
      'unreachable',
      summary,
      'Look at the state of the database in the console of Neon, or of your proxy.',
    )
  }
  return notWebSocket(`NEON_HTTP_${status}`, cause)
}

function notWebSocket(code: string, cause: Error): Error {
  const summary = 'What answers at the address takes no WebSockets there.'
  return faultError('configuration', code, summary, 'Check host and port, and the path in NEON_WS_PROXY.', { cause })
}

function isTold(told: unknown): told is Told {
  return typeof told === 'object' && told !== null && !(told instanceof Error) && 'error' in told
}
