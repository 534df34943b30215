import type { Problem } from '../../config/problem.ts'
import type { Driver } from '../../driver/driver.ts'
import type { Fault, FaultKind, Phase } from '../../driver/fault.ts'
import { FaultError } from '../../driver/fault.ts'
import { HoldfastError } from '../../errors.ts'

/** Kinds that say nothing against a database that serves. */
export const harmlessKinds: ReadonlySet<FaultKind> = new Set<FaultKind>(['statement', 'constraint', 'transient'])

/** Kinds that may be gone at the next attempt; any other would only be met again. */
export const retryableKinds: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'unreachable',
  'lost',
  'capacity',
  'transient',
])

/** Kinds of a loss that another member of the same cluster may cure. */
const curableKinds: ReadonlySet<FaultKind> = new Set<FaultKind>(['lost', 'unreachable', 'read-only'])

/** Whether another member of the cluster may serve where this fault ended the service of one. */
export function mayServeElsewhere({ kind, everywhere }: Fault): boolean {
  return curableKinds.has(kind) && everywhere !== true
}

/** Whether the search for another member goes on after an attempt that failed so: a promotion may be under way. */
export function mayBeSearched({ kind, everywhere }: Fault): boolean {
  return (retryableKinds.has(kind) || kind === 'read-only') && everywhere !== true
}

/** How many links of a chain of causes are followed. */
const causesMax = 10

/** The fault of an error: the one that it already carries, else what the driver says. Never throws, whatever the driver does. */
export function faultOf(driver: Driver, error: unknown, phase: Phase): Fault {
  return carriedFault(error) ?? classified(driver, error, phase)
}

/** The fault of the first FaultError in the chain of causes; null when there is none. */
function carriedFault(error: unknown): Fault | null {
  let link = error
  for (let depth = 0; depth < causesMax && link instanceof Error; depth += 1) {
    if (link instanceof FaultError) return link.fault
    link = link.cause
  }
  return null
}

function classified(driver: Driver, error: unknown, phase: Phase): Fault {
  try {
    return driver.classify(error, phase)
  } catch {
    // A third-party driver whose `classify` throws breaks its contract; the request must not pay for it.
    return {
      kind: 'statement',
      code: 'UNCLASSIFIED',
      summary: `The driver "${driver.name}" failed to classify an error.`,
      hint: 'Report this to the author of the driver.',
      ambiguous: false,
      cause: error,
    }
  }
}

/**
 * The fault of a failed opening. A broken rule or a wrong statement says nothing against a database that serves; while it
 * is being opened, the same fault means that it cannot be used as configured, so that the fallback may serve.
 */
export function openingFault(driver: Driver, error: unknown): Fault {
  const fault = faultOf(driver, error, 'open')
  // A driver may have left the cause out, without which its author learns nothing.
  const cause = fault.cause ?? (carriedFault(error) === null ? error : null)
  return { ...fault, cause, ambiguous: false, kind: openingKind(fault) }
}

/** How the kind of a fault reads while a database is being opened. */
export function openingKind({ kind }: Fault): FaultKind {
  return kind === 'statement' || kind === 'constraint' ? 'configuration' : kind
}

/** The cause of a configuration fault: no database was tried, and a retry helps only after the configuration has changed. */
export class UnusableDeclaration extends Error {
  override readonly name = 'UnusableDeclaration'
}

/** The fault of a database that is not declared, or whose declaration is unusable: the first `error` problem says why. */
export function unusableFault(problems: readonly Problem[], what: 'primary' | 'fallback'): Fault {
  const problem = problems.find((candidate) => candidate.severity === 'error')
  return {
    kind: 'configuration',
    code: problem?.code ?? 'NOT_CONFIGURED',
    summary: problem?.message ?? `No usable ${what} is configured.`,
    hint: problem?.suggestion ?? 'Run "holdfast check" to see the configuration and what is wrong with it.',
    ambiguous: false,
    cause: new UnusableDeclaration(`No usable ${what} is declared.`),
  }
}

/** The fault of an opening, or a probe, that took longer than `limitMs`. */
export function timeoutFault(limitMs: number): Fault {
  return {
    kind: 'unreachable',
    code: 'CONNECTION_TIMEOUT',
    summary: `The database did not answer within ${Math.round(limitMs)} ms.`,
    hint: 'Check host, port and firewall, or raise CONNECTION_TIMEOUT.',
    ambiguous: false,
    cause: undefined,
  }
}

/** The fault of a primary of which no attempt had an answer when FALLBACK_TIMEOUT ended. */
export const deadlineFault: Fault = {
  kind: 'unreachable',
  code: 'FALLBACK_TIMEOUT',
  summary: 'The primary did not answer within FALLBACK_TIMEOUT.',
  hint: 'Check host, port and firewall, or raise FALLBACK_TIMEOUT.',
  ambiguous: false,
  cause: undefined,
}

/** The error while no store can be reached, with the time of the next attempt. */
export function unavailableError(
  { fault, retry }: { readonly fault: Fault; readonly retry: { readonly at: number } },
  nowMs: number,
): HoldfastError {
  const waitMs = Math.max(0, retry.at - nowMs)
  const cause = fault.cause ?? fault
  return new HoldfastError('STORE_UNAVAILABLE', { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)), cause })
}
