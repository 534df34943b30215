import { type Readiness, readinessOf } from './readiness.ts'
import type { StatusSource } from './status-source.ts'

/** The words of `application/health+json`. */
export type HealthStatus = Readiness['health']

/** What the state means for whoever asks whether the service is well. */
export interface Verdict {
  readonly status: HealthStatus
  /** Of the connection by itself: a person may have to see to something else. */
  readonly connection: HealthStatus
  readonly ready: boolean
}

/** The health table for this moment; a service that closes takes no more requests, whatever its database does. */
export function verdictOf(source: StatusSource): Verdict {
  if (source.isClosing()) return { status: 'fail', connection: 'fail', ready: false }
  const { row, hasFallback, writeBlock } = source.database()
  // Both want a person: to carry rows over, or to run the grants before an outage comes. What the setting wants does not.
  const isFlawed = (source.left()?.total ?? 0) > 0 || (writeBlock !== null && writeBlock !== 'setting')
  const policy = { ...source.policy(), hasFallback }
  const { ready, health } = readinessOf(row, { ...policy, isFlawed })
  const status = health === 'pass' && source.lacking().length > 0 ? 'warn' : health
  return { status, connection: readinessOf(row, { ...policy, isFlawed: false }).health, ready: ready === 200 }
}
