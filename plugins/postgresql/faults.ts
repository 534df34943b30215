import { type Fault, FaultError, type FaultKind, type Phase } from '../../src/driver/driver.ts'
import { beforeSending, byMessage, byNode, byState, type Meaning, meanings, tlsCode } from './meanings.ts'

/** Reads any thrown value. Total; the same value gives an equal fault. */
export function classify(error: unknown, phase: Phase): Fault {
  try {
    for (const link of chainOf(error)) {
      const fault = faultOf(link, phase, error)
      if (fault !== null) return fault
    }
  } catch {
    // A value whose own getters throw: nothing more can be known of it.
  }
  return { ...meanings.statement, code: 'POSTGRESQL_UNKNOWN', ambiguous: false, cause: error }
}

function chainOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  let link = error
  while (link !== undefined && link !== null && chain.length < 8 && !chain.includes(link)) {
    chain.push(link)
    link = typeof link === 'object' && 'cause' in link ? link.cause : undefined
  }
  return chain
}

function faultOf(link: unknown, phase: Phase, cause: unknown): Fault | null {
  if (typeof link !== 'object' || link === null) return null
  const known = 'fault' in link ? link.fault : null
  // By its shape, not only by its class: MikroORM's exceptions copy the members of what they wrap.
  if (isFault(known)) return known
  const code = codeOf(link)
  if (code !== null) {
    const fault = byCode(code, 'severity' in link ? link.severity : null, phase, cause)
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

/** One address after another was tried for a host of several: what they have in common is in the first. */
function codeOf(link: object): string | null {
  if ('code' in link && typeof link.code === 'string') return link.code
  return null
}

function isFault(value: unknown): value is Fault {
  if (typeof value !== 'object' || value === null) return false
  const { kind, code, ambiguous } = value as Partial<Fault> // Read member by member, each checked.
  return typeof kind === 'string' && typeof code === 'string' && typeof ambiguous === 'boolean'
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
  const meant = stateMeaning(code, phase)
  // An ERROR says that nothing was committed; what ended the connection may have come after the commit.
  const isEnd =
    severity === 'FATAL' || severity === 'PANIC' || code.startsWith('08') || code.startsWith('57P') || code === '40003'
  return { ...meant, code, ambiguous: phase === 'commit' && isEnd, cause }
}

function stateMeaning(code: string, phase: Phase): Meaning {
  // How PgBouncer refuses a parameter of the startup packet.
  if (code === '08P01' && phase === 'open') return meanings.startup
  const own = Object.hasOwn(byState, code) ? byState[code] : undefined
  const group = code.slice(0, 2)
  const meant = own ?? (Object.hasOwn(byState, group) ? byState[group] : undefined) ?? meanings.statement
  return inPhase(meant, phase)
}

/** What is lost in the middle of work cannot be reached while it is opened. */
function inPhase(meant: Meaning, phase: Phase): Meaning {
  if (phase !== 'open') return meant
  if (meant === meanings.aborted) return meanings.silent
  return meant === meanings.lost || meant === meanings.terminated ? meanings.unreachable : meant
}

/** A fault of the driver's own making, ready to throw. */
export function faultError(
  kind: FaultKind,
  code: string,
  summary: string,
  hint: string,
  more: { readonly cause?: unknown; readonly ambiguous?: boolean } = {},
): FaultError {
  return new FaultError({ kind, code, summary, hint, ambiguous: more.ambiguous ?? false, cause: more.cause ?? null })
}

/** What a caller gets for this error in this phase; errors of the server that keep the connection stay what they are. */
export function withPhase(error: unknown, phase: Phase): unknown {
  if (error instanceof FaultError) return error
  const fault = classify(error, phase)
  const isOfServer = typeof error === 'object' && error !== null && 'severity' in error && error.severity === 'ERROR'
  return isOfServer && !fault.ambiguous ? error : new FaultError(fault)
}

/** The pool was closed under the caller. */
export function closedError(): FaultError {
  return new FaultError({ ...meanings.closed, code: 'POOL_CLOSED', ambiguous: false, cause: null })
}

/** The lease of a connection is over: the statement would run on somebody else's. */
export function overError(): FaultError {
  return faultError('statement', 'TRANSACTION_OVER', 'The transaction is over.', 'Begin another one.')
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

/** A read of rows stood still for too long. */
export function timeoutError(): FaultError {
  return new FaultError({ ...meanings.timeout, code: 'QUERY_TIMEOUT', ambiguous: false, cause: null })
}
