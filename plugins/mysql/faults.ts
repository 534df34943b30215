import { type Fault, FaultError, faultError, type Phase, readError } from '../../src/driver/kit/driver-kit.ts'
import {
  beforeSending,
  byCode,
  byMessage,
  byNumber,
  endings,
  halfway,
  type Meaning,
  meanings,
  tlsCode,
} from './fault-table.ts'

/** Reads any thrown value. Total; the same value gives an equal fault. */
export function classify(error: unknown, phase: Phase): Fault {
  const fault = readError(error, (link) => faultOf(link, phase, error))
  if (fault !== null) return fault
  // What the client did not expect of a server: while a connection is opened there is no statement that could be wrong.
  if (phase === 'open' && error instanceof Error) {
    return { ...meanings.notMysql, code: 'NOT_MYSQL', ambiguous: false, cause: error }
  }
  return { ...meanings.statement, code: 'MYSQL_UNKNOWN', ambiguous: false, cause: error }
}

function faultOf(link: object, phase: Phase, cause: unknown): Fault | null {
  const code = 'code' in link && typeof link.code === 'string' ? link.code : null
  const message = 'message' in link && typeof link.message === 'string' ? link.message : ''
  const number = numberOf(link)
  if (number !== null) return byServer(number, message, phase, cause)
  const found = code === null ? null : fromCode(code, phase, cause)
  if (found !== null) return found
  const name = 'name' in link ? link.name : null
  if (name === 'AbortError' || name === 'TimeoutError') {
    return { ...inPhase(meanings.aborted, phase), code: 'ABORTED', ambiguous: phase === 'commit', cause }
  }
  const row = byMessage.find(([pattern]) => pattern.test(message))
  if (row === undefined) return null
  const [, word, meant, isUnsent] = row
  return { ...inPhase(meant, phase), code: word, ambiguous: phase === 'commit' && !isUnsent, cause }
}

/** The number that the server itself gave; Node has negative ones. */
export function numberOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return null
  const { errno } = error
  return typeof errno === 'number' && Number.isInteger(errno) && errno > 0 ? errno : null
}

function fromCode(code: string, phase: Phase, cause: unknown): Fault | null {
  if (tlsCode.test(code)) return { ...meanings.tls, code, ambiguous: false, cause }
  const meant = Object.hasOwn(byCode, code) ? byCode[code] : undefined
  if (meant === undefined) return null
  return { ...inPhase(meant, phase), code, ambiguous: phase === 'commit' && !beforeSending.has(meant), cause }
}

function byServer(number: number, message: string, phase: Phase, cause: unknown): Fault {
  const meant = meaningOf(number, message)
  // Any other error says that nothing was committed; these may have come after the commit.
  const ambiguous = phase === 'commit' && (endings.has(number) || halfway.has(number))
  const isCut = endings.has(number) && phase !== 'open' && meant.kind !== 'lost'
  return { ...inPhase(isCut ? meanings.terminated : meant, phase), code: String(number), ambiguous, cause }
}

function meaningOf(number: number, message: string): Meaning {
  // One number for every option that stands in the way; a few numbers for whatever the file system answers.
  if (number === 1290) return /read.?only/i.test(message) ? meanings.readOnly : meanings.statement
  // 1047 is also a command that the server does not know.
  if (number === 1047) return /wsrep/i.test(message) ? meanings.starting : meanings.statement
  const meant = byNumber.get(number) ?? meanings.statement
  const isFull = meant === meanings.io && /\b(?:error|errcode|errno)\D{0,3}(?:28|122)\b|no space left/i.test(message)
  return isFull ? meanings.diskFull : meant
}

/** What is lost in the middle of work cannot be reached while it is opened. */
function inPhase(meant: Meaning, phase: Phase): Meaning {
  if (phase !== 'open') return meant
  if (meant === meanings.aborted || meant === meanings.timeout) return meanings.silent
  return meant.kind === 'lost' ? meanings.unreachable : meant
}

/** What a caller gets for this error in this phase; errors of the server that keep the connection stay what they are. */
export function withPhase(error: unknown, phase: Phase): unknown {
  if (error instanceof FaultError) return error
  const fault = classify(error, phase)
  const number = numberOf(error)
  return number !== null && !endings.has(number) && !fault.ambiguous ? error : new FaultError(fault)
}

/** A connection was not open in time. */
export function silentError(): FaultError {
  return new FaultError({ ...meanings.silent, code: 'CONNECTION_TIMEOUT', ambiguous: false, cause: null })
}

/** The server rolled the transaction back, and what comes after would be committed one by one. */
export function rolledBackError(isCommit: boolean): FaultError {
  const summary = isCommit
    ? 'The transaction was rolled back instead of committed: a statement in it had failed, and its error was swallowed.'
    : 'The server has rolled the transaction back; nothing more is run in it.'
  const code = isCommit ? 'COMMIT_ROLLED_BACK' : 'TRANSACTION_ROLLED_BACK'
  return faultError('statement', code, summary, 'Let errors of statements end the transaction.')
}

/** The protocol sends all rows of a stream before it takes another statement on the same connection. */
export function streamError(): FaultError {
  const summary = 'A stream is being read on this connection, and no statement can be run before its end.'
  return faultError(
    'statement',
    'STREAM_OPEN',
    summary,
    'Read the stream to its end first, or run it outside of the transaction.',
  )
}

/** An answer stood still for too long; the connection is reset. */
export function timeoutError(phase: Phase): FaultError {
  return new FaultError({
    ...inPhase(meanings.timeout, phase),
    code: 'QUERY_TIMEOUT',
    ambiguous: phase === 'commit',
    cause: null,
  })
}

/** The server would end the connection for a statement of this size, and nobody could tell why. */
export function packetError(limitBytes: number): FaultError {
  const summary = `The statement is larger than the ${limitBytes} bytes that the server takes (max_allowed_packet).`
  return new FaultError({ ...meanings.packet, summary, code: 'PACKET_TOO_LARGE', ambiguous: false, cause: null })
}
