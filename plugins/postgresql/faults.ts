import {
  claimKnownCode,
  codeOf,
  commonFaults,
  createFaultReader,
  type Fault,
  FaultError,
  type FaultMeaning,
  type FaultReader,
  inPhase,
  messageOf,
  nodeFaults,
  type Phase,
} from '../../src/driver/kit/driver-kit.ts'
import { byCode, byMessage, byPooler, byState, noConnect } from './fault-table.ts'

/** Reads the errors of this driver. */
export const faults: FaultReader = createFaultReader({ readServer, codes: byCode, messages: byMessage, isRefusal })

function readServer(link: object, phase: Phase, cause: unknown): Fault | null {
  const code = codeOf(link)
  const severity = 'severity' in link && typeof link.severity === 'string' ? link.severity : null
  // Some of Node's codes look like an SQLSTATE.
  if (code === null || !/^[0-9A-Z]{5}$/.test(code) || (severity === null && Object.hasOwn(nodeFaults, code)))
    return null
  const pooler = poolerMeaning(code, severity, messageOf(link), phase)
  if (pooler !== undefined) return { ...pooler, code, ambiguous: false, cause }
  if (isClaim(code, link)) return { ...commonFaults.claimKnown, code: claimKnownCode, ambiguous: false, cause }
  const meaning = code === '42501' && severity === 'FATAL' ? noConnect : stateMeaning(code, phase)
  // An ERROR means that nothing was committed; what ended the connection may have come after the commit.
  const isEnd =
    severity === 'FATAL' || severity === 'PANIC' || code.startsWith('08') || code.startsWith('57P') || code === '40003'
  const rule = meaning.rule === undefined ? {} : namesOf(link)
  const ambiguous = phase === 'commit' && isEnd
  const { undone, ...rest } = meaning
  return { ...rest, ...(undone === true && !isEnd ? { undone } : {}), ...rule, code, ambiguous, cause }
}

/** A claim that exists, wherever a statement makes it. */
function isClaim(code: string, link: { table?: unknown }): boolean {
  return code === '23505' && link.table === 'holdfast_attempt'
}

/** What the server names next to the rule that a row broke; the columns of a key are in its detail: `Key (a, "B")=(1, 2)`. */
function namesOf(link: { constraint?: unknown; column?: unknown; detail?: unknown }): Partial<Fault> {
  const { constraint, column, detail } = link
  const key = typeof detail === 'string' ? /^[^(]*\(([^=]*)\)=/.exec(detail)?.[1] : undefined
  const columns = typeof column === 'string' ? [column] : key?.split(', ').map((name) => name.replaceAll('"', ''))
  return {
    ...(columns === undefined ? {} : { columns }),
    ...(typeof constraint === 'string' ? { constraint } : {}),
  }
}

/**
 * What a pooler says in its text alone as it closes a connection, on which nothing of the statement was run. Neon's proxy
 * calls it an ERROR; while a connection is opened nothing else does.
 */
function poolerMeaning(code: string, severity: string | null, message: string, phase: Phase): FaultMeaning | undefined {
  const isEnd = severity !== null && (severity === 'FATAL' || phase === 'open')
  if (!isEnd || (code !== '08P01' && code !== 'XX000' && code !== '28000')) return undefined
  return byPooler.find(([pattern]) => pattern.test(message))?.[1]
}

function stateMeaning(code: string, phase: Phase): FaultMeaning {
  const own = Object.hasOwn(byState, code) ? byState[code] : undefined
  const group = code.slice(0, 2)
  // What goes wrong inside a server or a proxy is not a mistake in the address.
  if (phase === 'open' && own === undefined && group === 'XX') return commonFaults.unreachable
  return inPhase(own ?? (Object.hasOwn(byState, group) ? byState[group] : undefined) ?? commonFaults.statement, phase)
}

/**
 * Whether the server refused a statement and keeps the connection. Servers translate the word ERROR; what ends a
 * connection is FATAL in most languages, and in the others the connection shows it.
 */
export function isRefusal(error: unknown): error is Error & { readonly code?: unknown; readonly routine?: unknown } {
  if (!(error instanceof Error) || !('severity' in error)) return false
  return typeof error.severity === 'string' && error.severity !== 'FATAL' && error.severity !== 'PANIC'
}

/** Whether the server has ended the connection with this error. */
export function isEnding(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && (error.severity === 'FATAL' || error.severity === 'PANIC')
}

/** Whether a row broke a unique key. */
export function isTaken(error: unknown): boolean {
  return isRefusal(error) && error.code === '23505'
}

/** Whether a server refused to write. */
export function isReadOnlyRefusal(error: unknown): error is Error {
  return isRefusal(error) && error.code === '25006'
}

/** In a transaction a prepared statement was gone, or made for another shape of its table: nothing was changed. */
export function staleError(cause: unknown): FaultError {
  const summary = 'A prepared statement was no longer there, or its table had changed; the transaction was rolled back.'
  const hint = 'Try again; Holdfast prepares it again.'
  const code = 'STATEMENT_STALE'
  return new FaultError({ kind: 'transient', code, summary, hint, ambiguous: false, cause, undone: true })
}

/** A standby was asked to write, and has written nothing; another connection may lead to the primary. */
export function standbyError(cause: unknown = null): FaultError {
  const summary = 'The server is a standby: it accepts no writes.'
  const hint =
    'Name the primary in the address, or all hosts of the cluster: Holdfast finds the one that accepts writes.'
  return new FaultError({ kind: 'read-only', code: '25006', summary, hint, ambiguous: false, cause, undone: true })
}
