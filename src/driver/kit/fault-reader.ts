import { type Fault, FaultError, type Phase } from '../fault.ts'
import { commonFaults, type FaultMeaning, nodeFaults, tlsFault } from './fault-table.ts'
import { faultError, readError } from './read-error.ts'

/** What distinguishes the errors of one kind of database server and of its client. */
export interface FaultDialect {
  /** Reads what the server itself said; null where it said nothing. `cause` is the error as it was thrown. */
  readServer(link: object, phase: Phase, cause: unknown): Fault | null
  /** The client's own codes, besides Node's. */
  readonly codes: Readonly<Record<string, FaultMeaning>>
  /** The client's messages that come without a code, each with the code that its fault gets. */
  readonly messages: readonly (readonly [pattern: RegExp, code: string, meaning: FaultMeaning])[]
  /** True when the server refused a statement and keeps the connection. */
  isRefusal(error: unknown): boolean
}

/** Reads the errors of one kind of database server. */
export interface FaultReader {
  /** Reads any thrown value. Total; the same value becomes an equal fault. */
  classify(error: unknown, phase: Phase): Fault
  /** What a caller gets for this error in this phase; a mere refusal stays as it is. */
  withPhase(error: unknown, phase: Phase): unknown
  /** Why the caller of a pool got no connection; `error` is that of opening one, null where none came in time. Nothing was sent. */
  unopened(error: unknown): FaultError
}

const commonMessages: FaultDialect['messages'] = [
  [/pool is closed|driver has already been destroyed/i, 'POOL_CLOSED', commonFaults.closed],
  [/aborted|timed out/i, 'ABORTED', commonFaults.aborted],
]

/** Joins the common faults with those of a dialect. */
export function createFaultReader(dialect: FaultDialect): FaultReader {
  const messages = [...dialect.messages, ...commonMessages]
  const readLink = (link: object, phase: Phase, cause: unknown): Fault | null => {
    const server = dialect.readServer(link, phase, cause)
    if (server !== null) return server
    const code = codeOf(link)
    const found = code === null ? undefined : meaningOf(code, dialect.codes)
    if (code !== null && found !== undefined) return faultOf(found, code, phase, cause)
    const name = 'name' in link ? link.name : null
    if (name === 'AbortError' || name === 'TimeoutError') return faultOf(commonFaults.aborted, 'ABORTED', phase, cause)
    const message = messageOf(link)
    const row = messages.find(([pattern]) => pattern.test(message))
    return row === undefined ? null : faultOf(row[2], row[1], phase, cause)
  }
  const classify = (error: unknown, phase: Phase): Fault => {
    const fault = readError(error, (link) => readLink(link, phase, error))
    if (fault !== null) return fault
    // While a connection is opened there is no statement that could be wrong: the client did not understand the server.
    const isForeign = phase === 'open' && error instanceof Error
    const [meaning, code] = isForeign
      ? [commonFaults.foreign, 'SERVER_MISMATCH']
      : [commonFaults.statement, 'ERROR_UNKNOWN']
    return { ...meaning, code, ambiguous: false, cause: error }
  }
  return {
    classify,
    withPhase(error, phase) {
      if (error instanceof FaultError) return error
      const fault = classify(error, phase)
      return dialect.isRefusal(error) && !fault.ambiguous ? error : new FaultError(fault)
    },
    unopened: (error) =>
      error === null ? silentError() : new FaultError({ ...classify(error, 'open'), ambiguous: false }),
  }
}

/** The error's own code, where it is a text. */
export function codeOf(link: object): string | null {
  return 'code' in link && typeof link.code === 'string' ? link.code : null
}

/** The error's message, or an empty text. */
export function messageOf(link: object): string {
  return 'message' in link && typeof link.message === 'string' ? link.message : ''
}

function meaningOf(code: string, own: FaultDialect['codes']): FaultMeaning | undefined {
  if (tlsFault.test(code)) return commonFaults.tls
  return Object.hasOwn(own, code) ? own[code] : Object.hasOwn(nodeFaults, code) ? nodeFaults[code] : undefined
}

function faultOf(meaning: FaultMeaning, code: string, phase: Phase, cause: unknown): Fault {
  return { ...inPhase(meaning, phase), code, ambiguous: phase === 'commit' && mayBeSent(meaning), cause }
}

/** Whether the statement may have reached the server. */
function mayBeSent(meaning: FaultMeaning): boolean {
  if (meaning === commonFaults.foreign) return true
  return meaning.kind === 'lost' && meaning !== commonFaults.notSent && meaning !== commonFaults.closed
}

/** The meaning while a connection is opened: what is otherwise lost cannot be reached. */
export function inPhase(meaning: FaultMeaning, phase: Phase): FaultMeaning {
  if (phase !== 'open' || meaning.kind !== 'lost') return meaning
  // Nothing that opening asks for has a large answer.
  if (meaning === commonFaults.garbled || meaning === commonFaults.tooLarge) return commonFaults.foreign
  const isSilence = meaning === commonFaults.aborted || meaning === commonFaults.timeout
  return isSilence ? commonFaults.silent : commonFaults.unreachable
}

/** A fault of the common table, ready to throw. */
export function commonError(
  name: keyof typeof commonFaults,
  code: string,
  more: { readonly cause?: unknown; readonly ambiguous?: boolean } = {},
): FaultError {
  const { kind, summary, hint } = commonFaults[name]
  return faultError(kind, code, summary, hint, more)
}

/** No connection could be opened in time; nothing was sent. */
export function silentError(): FaultError {
  return commonError('silent', 'CONNECTION_TIMEOUT')
}

/** An answer stalled for too long. */
export function timeoutError(phase: Phase = 'statement'): FaultError {
  return new FaultError(faultOf(commonFaults.timeout, 'QUERY_TIMEOUT', phase, null))
}

/** The server answered COMMIT with a rollback. */
export function rolledBackError(): FaultError {
  const summary =
    'The transaction was rolled back instead of committed: one of its statements had failed, and its error was ignored.'
  const hint = 'Let errors of statements end the transaction, or set a savepoint before them.'
  return faultError('statement', 'COMMIT_ROLLED_BACK', summary, hint)
}
