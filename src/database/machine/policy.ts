import type { FaultCondition } from '../../config/settings.ts'
import type { Fault } from '../../driver/fault.ts'
import { openingKind, UnusableDeclaration } from './faults.ts'

/** What the settings decide about the life of a connection. All times are in milliseconds. */
export interface Policy {
  /** A primary is declared, whether usable or not. */
  readonly declared: boolean
  /** The fallback may serve for the primary. False when it is disabled, or is the same database as the primary. */
  readonly fallback: boolean
  readonly conditions: ReadonlySet<FaultCondition>
  /** How long the primary is tried before the fallback serves. */
  readonly timeoutMs: number
  /** 1 + retries. */
  readonly attempts: number
  readonly retryDelayMs: number
  /** The limit of one connection attempt. */
  readonly connectMs: number
}

/** Fixed times, in milliseconds; no setting changes them. */
export const times = {
  backoffBaseMs: 100,
  /** A return within 2 s of the server's first answer needs probes at most 1 s apart. */
  backoffCapMs: 1_000,
  /** The same where another member of a cluster may be promoted, for the first so many probes: about a minute. */
  promotionCapMs: 250,
  promotionProbes: 300,
  /** A wrong password is retried more slowly, so that the account is not locked, but never given up: it may be rotated. */
  slowBackoffCapMs: 30_000,
  /** How long an open primary waits for a journal to be carried: one of a million changes must not keep it from serving. */
  carryFirstMs: 500,
  /** Between the two committed writes that prove a primary. */
  proofGapMs: 200,
  /** How long a switch may hold new writes: at first, after one that was too short, and from then on. */
  switchHoldsMs: [250, 1_000, 5_000],
  /** A primary that is lost sooner after a return is flapping. */
  flapWindowMs: 60_000,
  /** A primary that served so long has its flapping forgotten. */
  forgetFlapsMs: 300_000,
  firstStayMs: 5_000,
  longestStayMs: 30_000,
  /** A store that is lost sooner is opened again only after a pause: opening it in a loop helps no one. */
  shortLifeMs: 1_000,
  /** Between attempts to open a fallback next to a healthy primary: no request waits for it. */
  standbyRetryMs: 30_000,
  /** The same where its file is in use: the process of an earlier deployment ends within seconds. */
  busyStandbyRetryMs: 2_000,
  /** How long an unused store may take to close gracefully. */
  lateCloseMs: 1_000,
  /** How long the change of an unknown COMMIT is searched for: its caller has waited for QUERY_TIMEOUT already. */
  findCommittedMs: 300,
  /**
   * After this time a second probe starts next to a hanging one: a return within 2 s needs a new connection by then. Longer than
   * the hosts of an address take to be asked one after the other.
   */
  hedgeMs: 750,
  /** How long another host is looked for after a loss where FAILOVER_WAIT is not set. */
  failoverMs: 3_000,
  /** Between the attempts to find it. */
  failoverRetryMs: 100,
} as const

/** How many journal entries may be left when a switch starts to hold new writes. */
export const shortTailEntries = 1_000

/**
 * How often in a row a journal may fail to be carried to a proven primary before that serves all the same: an entry that
 * cannot be carried must not keep the service on the fallback.
 */
export const failedCarriesMax = 3

/** Tries to reach the primary that failed in a row, and whether its cluster has others. */
interface Tries {
  readonly failures: number
  readonly hasOthers: boolean
}

/** Whether the fallback may serve because of this fault. */
export function leadsToFallback(fault: Fault, policy: Policy): boolean {
  return policy.fallback && (policy.conditions as ReadonlySet<string>).has(openingKind(fault))
}

/**
 * The wait before try `failures + 1`, in milliseconds: exponential, capped, half of it jitter. `chance` in [0, 1); the
 * result is never 0.
 */
export function backoffMs(failures: number, chance: number, capMs: number): number {
  const full = Math.min(capMs, times.backoffBaseMs * 2 ** Math.min(failures, 20))
  return full / 2 + (full / 2) * chance
}

/**
 * The wait after `fault`, in milliseconds. A wrong password is retried ever more slowly. An unusable declaration is
 * retried slowly from the start: only a secret file that appears, or is rotated, can change it.
 */
export function pauseMs(tried: Tries, chance: number, fault: Fault | null): number {
  const { failures } = tried
  if (fault?.cause instanceof UnusableDeclaration) return times.slowBackoffCapMs * (0.5 + chance / 2)
  if (fault?.kind === 'auth') return backoffMs(failures, chance, times.slowBackoffCapMs)
  return backoffMs(failures, chance, isPromotionNear(tried) ? times.promotionCapMs : times.backoffCapMs)
}

/** Whether another member of the cluster may be promoted at any moment. */
export function isPromotionNear({ failures, hasOthers }: Tries): boolean {
  return hasOthers && failures < times.promotionProbes
}
