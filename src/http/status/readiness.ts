import type { HealthRow } from '../../database/machine/state.ts'
import type { StatusSource } from './status-source.ts'

/** The words of `application/health+json`. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** What the health table depends on besides the state of the connection. */
export interface ReadinessSettings {
  readonly boot: 'lazy' | 'eager' | 'required'
  readonly readiness: 'any' | 'primary'
  /** False if the primary serves without an open fallback, so that losing it would be an outage. */
  readonly hasFallback: boolean
  /** True if the primary serves and its fallback needs attention: it accepts no writes, or still holds rows. */
  readonly isFlawed: boolean
}

/** One row of the health table: the status of `/health/ready` and the word of `/health`. */
export interface Readiness {
  readonly ready: 200 | 503
  readonly health: HealthStatus
}

/** The health of the service at this moment. */
export interface HealthSummary {
  readonly status: HealthStatus
  /** The connection alone, without other conditions that need attention. */
  readonly connection: HealthStatus
  readonly ready: boolean
}

/** The health table: pure, from memory. An unreachable database is no reason to restart the process. */
export function readinessOf(row: HealthRow, settings: ReadinessSettings): Readiness {
  switch (row) {
    case 'not-asked':
    case 'local':
      return { ready: 200, health: 'pass' }
    case 'connecting-first':
      return { ready: settings.boot === 'lazy' ? 200 : 503, health: 'warn' }
    case 'connecting-later':
      return { ready: 200, health: 'warn' }
    case 'connecting-later-alone':
      return { ready: 503, health: 'warn' }
    case 'primary':
      return { ready: 200, health: settings.hasFallback && !settings.isFlawed ? 'pass' : 'warn' }
    case 'fallback':
      return { ready: settings.readiness === 'primary' ? 503 : 200, health: 'warn' }
    case 'error':
      return { ready: 503, health: 'fail' }
  }
}

/** Applies the health table to the current status. A closing service is not ready, whatever its database does. */
export function healthOf(source: StatusSource): HealthSummary {
  if (source.isClosing()) return { status: 'fail', connection: 'fail', ready: false }
  const { row, hasFallback, writeBlock, diskFull } = source.database()
  // It needs a person, to run the grants before an outage. A block chosen by a setting does not.
  const isFlawed = writeBlock !== null && writeBlock !== 'setting'
  const policy = { ...source.policy(), hasFallback }
  const { ready, health } = readinessOf(row, { ...policy, isFlawed })
  const status = health === 'pass' && (diskFull || source.lacking().length > 0) ? 'warn' : health
  return { status, connection: readinessOf(row, { ...policy, isFlawed: false }).health, ready: ready === 200 }
}
