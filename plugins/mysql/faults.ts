import {
  claimKnownCode,
  commonFaults,
  createFaultReader,
  type Fault,
  FaultError,
  type FaultMeaning,
  type FaultReader,
  faultError,
  inPhase,
  messageOf,
  type Phase,
  requestKnownCode,
  type TableRule,
} from '../../src/driver/kit/driver-kit.ts'
import {
  byCode,
  byMessage,
  byNumber,
  endings,
  halfway,
  knownStates,
  outsideCluster,
  packet,
  writesRefused,
} from './fault-table.ts'

/** Reads the errors of this driver. */
export const faults: FaultReader = createFaultReader({ readServer, codes: byCode, messages: byMessage, isRefusal })

function readServer(link: object, phase: Phase, cause: unknown): Fault | null {
  const number = numberOf(link)
  if (number === null) return null
  if ('sqlState' in link && link.sqlState === knownStates.claimKnown) {
    return { ...commonFaults.claimKnown, code: claimKnownCode, ambiguous: false, cause }
  }
  if ('sqlState' in link && link.sqlState === knownStates.requestKnown) {
    return { ...commonFaults.requestKnown, code: requestKnownCode, ambiguous: false, cause }
  }
  const meaning = meaningOf(number, messageOf(link))
  // Any other error means that nothing was committed; these may have come after the commit.
  const ambiguous = phase === 'commit' && (endings.has(number) || halfway.has(number))
  const isCut = endings.has(number) && phase !== 'open' && meaning.kind !== 'lost'
  const rule = meaning.rule === undefined ? {} : namesOf(meaning.rule, messageOf(link))
  return {
    ...inPhase(isCut ? commonFaults.terminated : meaning, phase),
    ...rule,
    code: String(number),
    ambiguous,
    cause,
  }
}

/** What the server names, in its text alone, next to the rule that a row broke: a key last, since values stand before it. */
function namesOf(rule: TableRule, message: string): Partial<Fault> {
  const first = /[`']([^`']+)[`']/.exec(message)?.[1]
  switch (rule) {
    case 'unique': {
      const key = /'([^']+)'$/.exec(message.slice(-200))?.[1]
      // MySQL names the table, too.
      return key === undefined ? {} : { constraint: key.slice(key.lastIndexOf('.') + 1) }
    }
    case 'required':
      return first === undefined ? {} : { columns: [first] }
    case 'check':
      return first === undefined ? {} : { constraint: first }
    case 'value': {
      const column = /column (?:`[^`]*`\.`[^`]*`\.)?[`']([^`']+)[`']/i.exec(message.slice(-300))?.[1]
      return column === undefined ? {} : { columns: [column] }
    }
    case 'reference':
      return {}
  }
}

/** The server's own error number; Node's are negative. */
export function numberOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return null
  const { errno } = error
  return typeof errno === 'number' && Number.isInteger(errno) && errno > 0 ? errno : null
}

function meaningOf(number: number, message: string): FaultMeaning {
  // One number for every option that is in the way.
  if (number === 1290) return /read.?only/i.test(message) ? writesRefused : commonFaults.statement
  // 1047 is also a command that the server does not know.
  if (number === 1047) return /wsrep/i.test(message) ? outsideCluster : commonFaults.statement
  // A member that has lost the others in the middle of a commit; what it had sent may be committed there.
  if (number === 1180 && /provider status|primary component/i.test(message)) return commonFaults.starting
  const meaning = byNumber.get(number) ?? commonFaults.statement
  // A few numbers for all that a file system answers.
  const isFull = /\b(?:error|errcode|errno)\D{0,3}(?:28|122)\b|no space left/i.test(message)
  return meaning === commonFaults.io && isFull ? commonFaults.diskFull : meaning
}

/** Whether the server refused a statement and keeps the connection. */
function isRefusal(error: unknown): boolean {
  const number = numberOf(error)
  return number !== null && !endings.has(number)
}

/** The server has already rolled the transaction back; a later statement would be committed alone. */
export function transactionGoneError(): FaultError {
  const summary = 'The server has rolled the transaction back; no further statement runs in it.'
  return faultError('statement', 'TRANSACTION_ROLLED_BACK', summary, 'Let errors of statements end the transaction.')
}

/** This member cannot find out what the others have answered; it has written nothing. */
export function syncWaitError(cause: unknown): FaultError {
  return new FaultError({ ...outsideCluster, code: 'WSREP_SYNC_WAIT', ambiguous: false, cause })
}

/** The protocol sends all rows of a stream before another statement may use the connection. */
export function streamError(): FaultError {
  const summary = 'A stream is open on this connection; no statement can run before its end.'
  return faultError(
    'statement',
    'STREAM_OPEN',
    summary,
    'Read the stream to its end first, or run it outside the transaction.',
  )
}

/** Checked here, because the server would close the connection without a reason. */
export function packetError(limitBytes: number): FaultError {
  const summary = `The statement is larger than the ${limitBytes} bytes that the server accepts (max_allowed_packet).`
  return new FaultError({ ...packet, summary, code: 'PACKET_TOO_LARGE', ambiguous: false, cause: null })
}
