import type { Problem } from '../../config/problem.ts'
import type { Driver, Fault, Phase } from '../../driver/driver.ts'
import { FaultError } from '../../driver/driver.ts'

/** How long a chain of causes may be before we stop following it. */
const longestChain = 10

/** The fault of an error: what somebody below already knew, else what the driver reads. Total, whatever the driver does. */
export function faultOf(driver: Driver, error: unknown, phase: Phase): Fault {
  return knownFault(error) ?? classified(driver, error, phase)
}

/** The fault that a FaultError anywhere in the chain of causes carries; null when there is none. */
function knownFault(error: unknown): Fault | null {
  let link = error
  for (let depth = 0; depth < longestChain && link instanceof Error; depth += 1) {
    if (link instanceof FaultError) return link.fault
    link = link.cause
  }
  return null
}

function classified(driver: Driver, error: unknown, phase: Phase): Fault {
  try {
    return driver.classify(error, phase)
  } catch {
    // A foreign driver whose `classify` throws has broken its contract; the request must not pay for it.
    return {
      kind: 'statement',
      code: 'UNCLASSIFIED',
      summary: `The driver "${driver.name}" could not classify an error.`,
      hint: 'Report this to the author of the driver.',
      ambiguous: false,
      cause: error,
    }
  }
}

/**
 * What a failed opening is. A rule of the database or a wrong statement says nothing against a database that serves; of
 * one that is being opened it says that it cannot be used as it is configured, so that the fallback may serve.
 */
export function openingFault(driver: Driver, error: unknown): Fault {
  const fault = faultOf(driver, error, 'open')
  const isOurs = fault.kind === 'statement' || fault.kind === 'constraint'
  return { ...fault, ambiguous: false, kind: isOurs ? 'configuration' : fault.kind }
}

/** The cause of a fault that lies in what was declared, not in a database: trying again helps only when that has changed. */
export class UnusableDeclaration extends Error {
  override readonly name = 'UnusableDeclaration'
}

/** A database that is declared and cannot be used, or is not there: the first problem of severity `error` says why. */
export function unusableFault(problems: readonly Problem[], what: 'primary' | 'fallback'): Fault {
  const problem = problems.find((candidate) => candidate.severity === 'error')
  return {
    kind: 'configuration',
    code: problem?.code ?? 'NOT_CONFIGURED',
    summary: problem?.message ?? `No usable ${what} is configured.`,
    hint: problem?.suggestion ?? 'Run "holdfast check": it lists what is configured and what is wrong.',
    ambiguous: false,
    cause: new UnusableDeclaration(`No usable ${what} is declared.`),
  }
}

/** An opening, or a probe, that took longer than it may. */
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
