import { claimFirst, isClaimKnown } from '../../database/work/failure.ts'
import type { Session } from '../../database/work/session.ts'
import { HoldfastError } from '../../errors.ts'
import type { RowResult } from './precondition.ts'

/**
 * A change or delete whose earlier try may have committed: where the claim says so, the result is what `known` finds, or
 * COMMIT_UNKNOWN. A result that was settled without a statement counts only once the attempt is claimed.
 */
export function claimed(
  attempt: string,
  known: (session: Session) => Promise<RowResult | null>,
  apply: (session: Session) => Promise<RowResult | { readonly settled: RowResult }>,
): (session: Session) => Promise<RowResult> {
  let tries = 0
  return async (session) => {
    tries += 1
    try {
      const result = await apply(session)
      if ('is' in result) return result
      if (tries > 1 && session.claims !== null) await claimFirst(session, attempt)
      return result.settled
    } catch (error) {
      if (!isClaimKnown(session.store, error)) throw error
      const found = await known(session)
      if (found === null) throw new HoldfastError('COMMIT_UNKNOWN', { cause: error })
      return found
    }
  }
}
