import { claimKnownCode } from '../../driver/facet/attempts.ts'
import { copyReadOnlyCode } from '../../driver/facet/copy.ts'
import { journalFullCode, restingCode } from '../../driver/facet/journal.ts'
import { syncWaitCancelledCode } from '../../driver/facet/standing.ts'
import { type Fault, FaultError } from '../../driver/fault.ts'
import { commonError } from '../../driver/kit/fault-reader.ts'
import { HoldfastError } from '../../errors.ts'
import { faultOf } from '../machine/faults.ts'
import type { Serving, Store } from '../store/store.ts'
import type { Session, WorkOptions } from './session.ts'

/** Seconds after which a caller may try again where nothing better is known. */
const retryAfterS = 1

/** The code of a driver's fault for a statement that did not answer within its limit. */
export const statementTimeoutCode = 'QUERY_TIMEOUT'

/** Not a property: the error may be an application's own, and frozen. */
const failedStores = new WeakMap<object, Serving>()

/** The store that a unit of work last ran on before it failed with this error; null when it never reached one. */
export function failedStore(error: unknown): Serving | null {
  return isObject(error) ? (failedStores.get(error) ?? null) : null
}

/** The same error, from now on with the store that it came from. */
export function withFailedStore(error: unknown, serving: Serving | null): unknown {
  if (serving !== null && isObject(error)) failedStores.set(error, serving)
  return error
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/**
 * The error that the caller gets for a fault; null when the fault says nothing about the database: the work's own error.
 * `work`: how it was run, what its columns are called, and which of them the caller may know.
 */
export function errorForFault(
  fault: Fault,
  verdict: 'kept' | 'lost',
  cause: unknown,
  work: FailedWork = {},
): HoldfastError | null {
  if (fault.ambiguous) {
    return new HoldfastError('COMMIT_UNKNOWN', {
      cause,
      ...(isOnOneServerOnly(fault) ? { detail: oneServerDetail } : {}),
    })
  }
  // Nobody has tried again: the caller may, at once.
  if (isUndone(fault) && (work.rerun ?? 'never') === 'never') {
    const detail = fault.kind === 'transient' ? undoneDetail : movedDetail
    return new HoldfastError('STORE_LOST', { cause, retryAfterS: 0, detail })
  }
  if (fault.code === copyReadOnlyCode) return incompleteError(copyReadOnlyDetail, cause)
  switch (fault.kind) {
    case 'statement':
      return null
    case 'constraint':
      // The attempt has committed before; with which result is not known here.
      if (fault.code === claimKnownCode) return new HoldfastError('COMMIT_UNKNOWN', { cause })
      return ruleError(fault, cause, work)
    case 'disk-full':
      return new HoldfastError('DISK_FULL', { cause })
    case 'transient':
      if (fault.code === journalFullCode) return new HoldfastError('JOURNAL_FULL', { cause, retryAfterS })
      return new HoldfastError('STORE_BUSY', { cause, retryAfterS, ...(isUndone(fault) ? triedInVain : {}) })
    case 'read-only':
    case 'unwritable':
      return new HoldfastError('STORE_READ_ONLY', { cause, retryAfterS })
    case 'lost':
      if (fault.code === statementTimeoutCode && verdict === 'kept') {
        return new HoldfastError('QUERY_TIMEOUT', { cause, retryAfterS })
      }
      return new HoldfastError('STORE_LOST', { cause, retryAfterS: 0 })
    case 'unreachable':
    case 'auth':
    case 'configuration':
    case 'tls':
    case 'capacity':
    case 'corrupt':
      return new HoldfastError('STORE_UNAVAILABLE', { cause, retryAfterS })
  }
}

type FailedWork = Partial<Pick<WorkOptions, 'keys' | 'unnamed' | 'rerun'>>

const undoneDetail = 'The rows were changed at the same time elsewhere. Nothing was written.'

const movedDetail = 'The connection led to a server that accepts no writes at the moment. Nothing was written.'

const triedInVain = {
  detail: 'The rows were changed at the same time elsewhere, whenever Holdfast tried. Nothing was written.',
  hint: 'Send the request again.',
} as const

const oneServerDetail =
  'The change is committed on the server that answers, but perhaps on no standby: its wait for a synchronous standby was cancelled.'

/** Whether the database has written nothing of the work, and may do so when it is run again. */
export function isUndone({ undone, ambiguous, everywhere }: Fault): boolean {
  return undone === true && !ambiguous && everywhere !== true
}

/** Whether a COMMIT is unknown only because no standby has confirmed it: the server that is asked would always find it. */
export function isOnOneServerOnly({ code, ambiguous }: Fault): boolean {
  return ambiguous && code === syncWaitCancelledCode
}

/** Each kind of rule has its own answer. */
function ruleError(fault: Fault, cause: unknown, { keys, unnamed }: FailedWork): HoldfastError {
  const { rule, constraint = '', summary, hint } = fault
  const columns = fault.columns ?? keys?.get(constraint) ?? []
  const named = columns.filter((column) => unnamed?.has(column) !== true)
  const at = (message: string) => named.map((column) => ({ pointer: `/${column}`, message }))
  if (rule === undefined || rule === 'reference') return new HoldfastError('CONFLICT', { cause, detail: summary, hint })
  if (rule === 'unique') {
    const message = `Another row has ${columns.length > 1 ? 'these values together' : 'this value'}.`
    return new HoldfastError('CONFLICT', { cause, ...(named.length > 0 ? { errors: at(message) } : {}) })
  }
  const name = rule === 'check' && constraint !== '' ? ` The check is "${constraint}".` : ''
  const errors = named.length > 0 ? at(summary) : [{ pointer: '', message: `${summary}${name}` }]
  return new HoldfastError('ROW_INVALID', { cause, errors, detail: summary })
}

/** The error for what a fallback does not have: the primary that it stands in for may have it. */
export function incompleteError(detail?: string, cause?: unknown): HoldfastError {
  return new HoldfastError('INCOMPLETE', { retryAfterS, cause, ...(detail === undefined ? {} : { detail }) })
}

const copyReadOnlyDetail = "The fallback has a copy of the application's own entities, which only the primary changes."

/** Whether the fallback refused a change because the primary is about to serve: nothing was written, nothing was lost. */
export function isResting(fault: Fault): boolean {
  return fault.code === restingCode
}

/** Whether the write failed because its claim exists: the same attempt has committed before. */
export function isClaimKnown({ driver }: Store, error: unknown): boolean {
  return !(error instanceof HoldfastError) && faultOf(driver, error, 'statement').code === claimKnownCode
}

/** Claims the attempt; joins the open transaction. Throws what `isClaimKnown` recognizes where the claim exists. */
export async function claimFirst({ store }: Session, attempt: string): Promise<void> {
  if ((await store.attempts?.claim(attempt)) !== false) return
  throw commonError('claimKnown', claimKnownCode)
}

/** The error of an attempt that was claimed after its COMMIT had not been answered: it never commits. */
export function neverCommittedError(fault: Fault, cause: unknown): HoldfastError {
  return fault.code === statementTimeoutCode
    ? new HoldfastError('QUERY_TIMEOUT', { cause, retryAfterS, detail: 'Nothing was written.' })
    : new HoldfastError('STORE_LOST', { cause, retryAfterS: 0 })
}

/** Whether the outcome of the COMMIT is unknown. */
export function isCommitUnknown(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'COMMIT_UNKNOWN'
}

/** A read behind a write that the database has confirmed: where it fails, the write may be there, and belongs nowhere else. */
export async function afterWrite<T>({ store }: Session, reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    throw new FaultError({ ...faultOf(store.driver, error, 'statement'), ambiguous: true, cause: error })
  }
}
