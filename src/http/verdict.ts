import { type Readiness, readinessOf } from '../database/readiness.ts'
import type { StatusSource } from './status-source.ts'

/** The words of `application/health+json`. */
export type HealthStatus = Readiness['health']

/** What the state means for whoever asks whether the service is well. */
export interface Verdict {
  readonly status: HealthStatus
  readonly ready: boolean
}

/** The health table for this moment; a service that closes takes no more requests, whatever its database does. */
export function verdictOf(source: StatusSource): Verdict {
  if (source.isClosing()) return { status: 'fail', ready: false }
  const { row, hasFallback, writeBar } = source.database()
  // Both want a person: to carry rows over, or to run the grants before an outage comes. What the setting wants does not.
  const isFlawed = (source.left()?.total ?? 0) > 0 || (writeBar !== null && writeBar !== 'setting')
  const { ready, health } = readinessOf(row, { ...source.policy(), hasFallback, isFlawed })
  return { status: health, ready: ready === 200 }
}
