import type { Fault, FaultKind } from '../../driver/kit/fault.ts'
import type { Policy } from './policy.ts'

/** Kinds that say nothing against a database that serves. */
export const harmlessKinds: ReadonlySet<FaultKind> = new Set<FaultKind>(['statement', 'constraint', 'transient'])

/** Kinds that the next attempt may not meet again; of the others another attempt would only say the same. */
export const worthRetrying: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'unreachable',
  'lost',
  'capacity',
  'transient',
])

/** Whether the fallback may serve because of this fault. */
export function leadsToFallback(fault: Fault, policy: Policy): boolean {
  const isOurs = fault.kind === 'statement' || fault.kind === 'constraint'
  // A database that refuses what we need to open it is not usable as it is configured.
  const kind = isOurs ? 'configuration' : fault.kind
  return policy.fallback && (policy.conditions as ReadonlySet<string>).has(kind)
}

/** The deadline passed and no attempt had answered. */
export const deadlineFault: Fault = {
  kind: 'unreachable',
  code: 'FALLBACK_TIMEOUT',
  summary: 'The primary did not answer within FALLBACK_TIMEOUT.',
  hint: 'Check host, port and firewall, or raise FALLBACK_TIMEOUT.',
  ambiguous: false,
  cause: undefined,
}
