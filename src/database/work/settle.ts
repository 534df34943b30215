import type { HoldfastError } from '../../errors.ts'
import { faultOf } from '../machine/faults.ts'
import { times } from '../machine/policy.ts'
import { atMost } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import { neverCommittedError } from './failure.ts'
import type { FailedTry } from './rerun.ts'
import type { Session } from './session.ts'

/** What became of an attempt whose COMMIT was unknown: the result of the work, or the error where it never commits. */
export type Settled<T> = { readonly value: T } | { readonly error: HoldfastError }

/**
 * Settles an attempt by claiming it in a session on the same database: a claim that succeeds means that it never commits, and
 * a change that `find` finds, that it did. Null: neither was known in time.
 */
export async function settled<T>(
  clock: Clock,
  session: Session,
  { session: tried, serving, error }: FailedTry,
  find: ((session: Session) => Promise<T | null>) | undefined,
): Promise<Settled<T> | null> {
  const { attempts } = session.store
  const isClaimed = tried.claims !== null && attempts !== null
  if (!isClaimed && find === undefined) return null
  let result: Settled<T> | null = null
  const settling = async (): Promise<void> => {
    if (isClaimed && (await attempts.claim(tried.attempt))) {
      const fault = faultOf(serving.store.driver, error, 'commit')
      result = { error: neverCommittedError(fault, error) }
      return
    }
    const found = (await find?.(session)) ?? null
    if (found !== null) result = { value: found }
  }
  await atMost(clock, times.findCommittedMs, settling())
  return result
}
