import { HoldfastError } from '../../errors.ts'
import type { Progress, Session } from './session.ts'
import { withinTransaction } from './work-session.ts'

/** Work in a session. */
export type Unit<T> = (session: Session) => Promise<T>

/** The work as one transaction, which claims its attempt first where the session says so. */
export function inTransaction<T>(
  work: Unit<T>,
  signal: AbortSignal | undefined,
): { readonly unit: Unit<T>; readonly progress: Readonly<Progress> } {
  const progress: Progress = { phase: 'begin' }
  /** What the last try that reached its COMMIT gave. */
  let computed: { readonly value: T } | null = null
  const unit = async (session: Session): Promise<T> => {
    progress.phase = 'begin'
    return await session.em.transactional(
      async (em) => {
        progress.phase = 'statement'
        const inside = withinTransaction(session, em)
        if (session.claims !== null && (await session.store.attempts?.claim(session.attempt)) === false) {
          if (computed === null) throw new HoldfastError('COMMIT_UNKNOWN')
          return computed.value
        }
        const value = await work(inside)
        // Flushed here, so that from now on only COMMIT can fail.
        await em.flush()
        computed = { value }
        progress.phase = 'commit'
        return value
      },
      signal === undefined ? {} : { signal },
    )
  }
  return { unit, progress }
}
