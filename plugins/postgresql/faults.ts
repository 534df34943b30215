import { type Fault, FaultError, faultError, type Phase, readError } from '../../src/driver/kit/driver-kit.ts'
import { beforeSending, byMessage, byNode, byPooler, byState, type Meaning, meanings, tlsCode } from './fault-table.ts'

/** Reads any thrown value. Total; the same value gives an equal fault. */
export function classify(error: unknown, phase: Phase): Fault {
  const fault = readError(error, (link) => faultOf(link, phase, error))
  if (fault !== null) return fault
  // What the client did not expect of a server: while a connection is opened there is no statement that could be wrong.
  if (phase === 'open' && error instanceof Error) {
    return { ...meanings.notPostgres, code: 'NOT_POSTGRESQL', ambiguous: false, cause: error }
  }
  return { ...meanings.statement, code: 'POSTGRESQL_UNKNOWN', ambiguous: false, cause: error }
}

function faultOf(link: object, phase: Phase, cause: unknown): Fault | null {
  const code = codeOf(link)
  if (code !== null) {
    const fault =
      poolerFault(code, link, phase, cause) ?? byCode(code, 'severity' in link ? link.severity : null, phase, cause)
    if (fault !== null) return fault
  }
  const name = 'name' in link ? link.name : null
  if (name === 'AbortError' || name === 'TimeoutError') {
    return { ...inPhase(meanings.aborted, phase), code: 'ABORTED', ambiguous: phase === 'commit', cause }
  }
  const message = 'message' in link && typeof link.message === 'string' ? link.message : ''
  const found = byMessage.find(([pattern]) => pattern.test(message))
  if (found === undefined) return null
  const [, word, meant, isUnsent] = found
  return { ...inPhase(meant, phase), code: word, ambiguous: phase === 'commit' && !isUnsent, cause }
}

/**
 * What a pooler says by its text alone, as it ends a connection on which nothing of the statement was run. Neon's proxy
 * calls it an ERROR; while a connection is opened nothing else does.
 */
function poolerFault(code: string, link: object, phase: Phase, cause: unknown): Fault | null {
  const isEnd = 'severity' in link && (link.severity === 'FATAL' || phase === 'open')
  if (!isEnd || (code !== '08P01' && code !== 'XX000' && code !== '28000')) return null
  const text = 'message' in link && typeof link.message === 'string' ? link.message : ''
  const found = byPooler.find(([pattern]) => pattern.test(text))
  return found === undefined ? null : { ...found[1], code, ambiguous: false, cause }
}

function codeOf(link: object): string | null {
  if ('code' in link && typeof link.code === 'string') return link.code
  return null
}

function byCode(code: string, severity: unknown, phase: Phase, cause: unknown): Fault | null {
  if (/^[0-9A-Z]{5}$/.test(code) && (typeof severity === 'string' || Object.hasOwn(byState, code))) {
    return byServer(code, severity, phase, cause)
  }
  if (tlsCode.test(code)) return { ...meanings.tls, code, ambiguous: false, cause }
  const meant = Object.hasOwn(byNode, code) ? byNode[code] : undefined
  if (meant === undefined) return /^[0-9A-Z]{5}$/.test(code) ? byServer(code, severity, phase, cause) : null
  return { ...inPhase(meant, phase), code, ambiguous: phase === 'commit' && !beforeSending.has(meant), cause }
}

function byServer(code: string, severity: unknown, phase: Phase, cause: unknown): Fault {
  // The right to connect is asked for last, and its refusal ends the connection.
  const meant = code === '42501' && severity === 'FATAL' ? meanings.noConnect : stateMeaning(code, phase)
  // An ERROR says that nothing was committed; what ended the connection may have come after the commit.
  const isEnd =
    severity === 'FATAL' || severity === 'PANIC' || code.startsWith('08') || code.startsWith('57P') || code === '40003'
  return { ...meant, code, ambiguous: phase === 'commit' && isEnd, cause }
}

function stateMeaning(code: string, phase: Phase): Meaning {
  const own = Object.hasOwn(byState, code) ? byState[code] : undefined
  const group = code.slice(0, 2)
  // What goes wrong inside a server or a proxy is no mistake of the address.
  if (phase === 'open' && own === undefined && group === 'XX') return meanings.unreachable
  const meant = own ?? (Object.hasOwn(byState, group) ? byState[group] : undefined) ?? meanings.statement
  return inPhase(meant, phase)
}

/** What is lost in the middle of work cannot be reached while it is opened. */
function inPhase(meant: Meaning, phase: Phase): Meaning {
  if (phase !== 'open') return meant
  if (meant === meanings.aborted) return meanings.silent
  if (meant === meanings.garbled) return meanings.notPostgres
  return meant === meanings.lost || meant === meanings.terminated ? meanings.unreachable : meant
}

/** What a caller gets for this error in this phase; errors of the server that keep the connection stay what they are. */
export function withPhase(error: unknown, phase: Phase): unknown {
  if (error instanceof FaultError) return error
  const fault = classify(error, phase)
  return isRefusal(error) && !fault.ambiguous ? error : new FaultError(fault)
}

/**
 * Whether the server refused a statement and keeps the connection. Servers translate the word ERROR; what ends a
 * connection is FATAL in most languages, and in the others the connection tells.
 */
export function isRefusal(error: unknown): error is Error & { readonly code?: unknown; readonly routine?: unknown } {
  if (!(error instanceof Error) || !('severity' in error)) return false
  return typeof error.severity === 'string' && error.severity !== 'FATAL' && error.severity !== 'PANIC'
}

/** PostgreSQL answers the COMMIT of a failed transaction with the tag ROLLBACK, and no error. */
export function rolledBackError(): FaultError {
  return faultError(
    'statement',
    'COMMIT_ROLLED_BACK',
    'The transaction was rolled back instead of committed: a statement in it had failed, and its error was swallowed.',
    'Let errors of statements end the transaction, or set a savepoint before them.',
  )
}

/** No connection could be opened in time; nothing was sent. */
export function silentError(cause: unknown): FaultError {
  return new FaultError({ ...meanings.silent, code: 'CONNECTION_TIMEOUT', ambiguous: false, cause })
}

/** The server did not answer a statement in time; the connection is reset. */
export function timeoutError(phase: Phase): FaultError {
  return new FaultError({ ...meanings.timeout, code: 'QUERY_TIMEOUT', ambiguous: phase === 'commit', cause: null })
}

/** Inside a transaction a prepared statement was gone, or made for another shape of its table: nothing was changed. */
export function staleError(cause: unknown): FaultError {
  const summary = 'A prepared statement was no longer there, or its table had changed; the transaction is rolled back.'
  return faultError('transient', 'STATEMENT_STALE', summary, 'Try again; it is prepared anew.', { cause })
}
