import type { Fault } from '../../driver/fault.ts'
import type { Serving } from '../store/store.ts'
import { statementTimeoutCode } from './failure.ts'
import type { WorkOptions } from './session.ts'
import type { WorkSession } from './work-session.ts'

/** A try that failed. */
export interface FailedTry {
  readonly serving: Serving
  readonly session: WorkSession
  readonly error: unknown
}

/** Whether the unit of work may run again: it was lost with its store, and left no change behind or gives the same one. */
export function mayRerun(fault: Fault, verdict: 'kept' | 'lost', options: WorkOptions, session: WorkSession): boolean {
  const { rerun } = options
  if (rerun === 'never' || (fault.ambiguous && (rerun !== 'always' || !isRepeatable(options, session)))) return false
  // Slow, not lost: it would only be slow again.
  if (fault.code === statementTimeoutCode && verdict === 'kept') return false
  if (fault.kind === 'constraint' || fault.kind === 'transient') return false
  return verdict === 'lost' || fault.kind === 'lost' || fault.kind === 'unreachable'
}

/** Whether a try whose COMMIT is unknown can be tried again somewhere: a claim decides which of the two counts. */
function isRepeatable({ elsewhere, isKeyed }: WorkOptions, { claims, store }: WorkSession): boolean {
  return claims !== null || isKeyed === true || (elsewhere === true && store.journal !== null)
}

/** Whether a unit of work whose COMMIT is unknown may go on in the store that serves now. `claims`: it would claim there. */
export function mayGoOn(
  unknown: FailedTry,
  next: Serving,
  claims: boolean,
  { elsewhere, isKeyed }: WorkOptions,
): boolean {
  const wasClaimed = unknown.session.claims !== null || isKeyed === true
  const isClaimed = claims || isKeyed === true
  const isSame = next.store.target.id === unknown.serving.store.target.id
  if (isSame) return wasClaimed && isClaimed
  if (elsewhere !== true) return false
  // What the journal carries is claimed by replay.
  const isCarried = next.shown === 'fallback' && next.store.journal !== null
  const wasCarried = unknown.serving.shown === 'fallback' && unknown.serving.store.journal !== null
  return (wasClaimed && isCarried) || (wasCarried && isClaimed)
}
