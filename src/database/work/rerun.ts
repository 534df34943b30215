import type { Fault } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'
import { statementTimeoutCode } from './refusal.ts'
import type { WorkOptions } from './session.ts'

/** Whether this failure allows another try: it was lost with its store, and what it did is not there, or may be. */
export function mayRerun(fault: Fault, verdict: 'kept' | 'lost', { rerun }: WorkOptions): boolean {
  if (rerun === 'never' || (fault.ambiguous && rerun !== 'always')) return false
  // Slow, not lost: it would only be slow again.
  if (fault.code === statementTimeoutCode && verdict === 'kept') return false
  if (fault.kind === 'constraint' || fault.kind === 'transient') return false
  return verdict === 'lost' || fault.kind === 'lost' || fault.kind === 'unreachable'
}

/** Whether nobody knows if the change was committed. */
export function isUnknown(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'COMMIT_UNKNOWN'
}
