import type { FaultCondition } from '../../config/settings.ts'
import type { Fault } from '../../driver/kit/fault.ts'
import { UnusableDeclaration } from './fault-of.ts'

/** What the settings decide about the life of a connection. Milliseconds throughout. */
export interface Policy {
  /** A primary was declared, usable or not. */
  readonly declared: boolean
  /** The fallback may serve for the primary. False when it is switched off, or is the primary itself. */
  readonly fallback: boolean
  readonly conditions: ReadonlySet<FaultCondition>
  /** How long the primary is tried before the fallback serves. */
  readonly timeoutMs: number
  /** 1 + retries. */
  readonly attempts: number
  readonly retryDelayMs: number
  /** One connection attempt. */
  readonly connectMs: number
}

/** Fixed times of the machine; DESIGN gives them, no setting changes them. */
export const times: {
  readonly backoffBaseMs: number
  readonly backoffCapMs: number
  readonly slowBackoffCapMs: number
  readonly proofGapMs: number
  readonly switchHoldMs: number
  readonly flapWindowMs: number
  readonly forgetStaysMs: number
  readonly firstStayMs: number
  readonly longestStayMs: number
  readonly shortLifeMs: number
  readonly standbyRetryMs: number
  readonly lateCloseMs: number
  readonly lookMs: number
  readonly impatientMs: number
} = {
  backoffBaseMs: 100,
  /** A return within 2 s of the server's answering needs the probes at most 1 s apart. */
  backoffCapMs: 1_000,
  /** A wrong password is tried slower, so that nobody is locked out, but never given up: a rotated secret heals it. */
  slowBackoffCapMs: 30_000,
  proofGapMs: 200,
  switchHoldMs: 250,
  flapWindowMs: 60_000,
  forgetStaysMs: 300_000,
  firstStayMs: 5_000,
  longestStayMs: 30_000,
  /** A store that is lost sooner is opened again only after a pause: opening it in a loop helps nobody. */
  shortLifeMs: 1_000,
  /** A fallback that cannot be opened beside a healthy primary is tried again at this pace: nobody waits for it. */
  standbyRetryMs: 30_000,
  /** How long a store that nobody uses any more may take to end gracefully. */
  lateCloseMs: 1_000,
  /** How long it is looked whether an unknown COMMIT is there: its caller has waited for QUERY_TIMEOUT already. */
  lookMs: 300,
  /** A probe that hangs so long is not the only one: a return within 2 s needs a new one before that. */
  impatientMs: 750,
}

/** How many journal entries may be left when new writes begin to be held. */
export const shortTailEntries = 100

/**
 * Doubling, capped, with jitter of half: the wait before try `failures + 1`, in milliseconds.
 * `chance` in [0, 1); the result is never 0.
 */
export function backoffMs(failures: number, chance: number, capMs: number): number {
  const full = Math.min(capMs, times.backoffBaseMs * 2 ** Math.min(failures, 20))
  return full / 2 + (full / 2) * chance
}

/**
 * The wait after `fault`, in milliseconds. A wrong password is tried ever slower. What was declared and cannot be used is
 * looked at slowly from the start: only a secret file that comes later, or is rotated, can change it.
 */
export function pauseMs(failures: number, chance: number, fault: Fault | null): number {
  if (fault?.cause instanceof UnusableDeclaration) return times.slowBackoffCapMs * (0.5 + chance / 2)
  return backoffMs(failures, chance, fault?.kind === 'auth' ? times.slowBackoffCapMs : times.backoffCapMs)
}
