import type { Fault } from '../../driver/fault.ts'
import type { Clock } from '../store/clock.ts'
import type { Serving } from '../store/store.ts'
import { isOnOneServerOnly, isUndone, statementTimeoutCode } from './failure.ts'
import type { WorkOptions } from './session.ts'
import type { WorkSession } from './work-session.ts'

/** A try that failed. */
export interface FailedTry {
  readonly serving: Serving
  readonly session: WorkSession
  readonly error: unknown
  /** When it began. */
  readonly sinceMs: number
}

/** A unit of work that is lost with its store is tried at most so often: a further try would not help. */
const triesMax = 3

/** Before each further try of work that the database has undone, at most so long, so that both do not meet again. */
const pausesMs = [20, 35, 50] as const

/** The failed tries of one unit of work, which decide whether another one follows. */
export class FailedTries {
  readonly #clock: Clock
  readonly #limitMs: number
  #beganMs: number | null = null
  #lost = 0
  #undone = 0

  /** `limitMs`: work that was undone is not begun again after so long; its caller has waited for long enough. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  get count(): number {
    return this.#lost + this.#undone
  }

  /** Notes a try whose statement was wrong; says whether it is the first. */
  addMistake(): boolean {
    this.#lost += 1
    return this.count === 1
  }

  /** Notes a try; says whether another one may follow. */
  add(fault: Fault, verdict: 'kept' | 'lost', options: WorkOptions, { session, sinceMs }: FailedTry): boolean {
    this.#beganMs ??= sinceMs
    if (verdict === 'kept' && isUndone(fault)) {
      this.#undone += 1
      const isInTime = this.#clock.now() - this.#beganMs < this.#limitMs
      return options.rerun !== 'never' && this.#undone <= pausesMs.length && isInTime
    }
    this.#lost += 1
    return this.#lost < triesMax && mayRerun(fault, verdict, options, session)
  }

  /** The pause before the next try, in milliseconds: it grows, half of it jitter. `chance` in [0, 1). */
  pauseMs(chance: number): number {
    const longestMs = pausesMs[this.#undone - 1] ?? 0
    return longestMs * (0.5 + chance / 2)
  }
}

/** Whether the unit of work may run again: it was lost with its store, and left no change behind or gives the same one. */
function mayRerun(fault: Fault, verdict: 'kept' | 'lost', options: WorkOptions, session: WorkSession): boolean {
  const { rerun } = options
  if (rerun === 'never' || (fault.ambiguous && (rerun !== 'always' || !isRepeatable(options, session)))) return false
  // It is committed where the next try would go.
  if (isOnOneServerOnly(fault)) return false
  // Slow, not lost: it would only be slow again.
  if (fault.code === statementTimeoutCode && verdict === 'kept') return false
  if (fault.kind === 'constraint' || (fault.kind === 'transient' && !isUndone(fault))) return false
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
