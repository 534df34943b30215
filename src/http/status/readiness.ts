import type { HealthRow } from '../../database/machine/state.ts'
import type { DatabaseSessionContext } from '../../database/supervisor/connection-status.ts'
import { archiveNeedsAttention, isRestoring } from './archive-wording.ts'
import type { StatusSource } from './status-source.ts'

/** The words of `application/health+json`. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** What the health table depends on besides the state of the connection. */
export interface ReadinessSettings {
  readonly boot: 'lazy' | 'eager' | 'required'
  readonly readiness: 'any' | 'primary'
  /** False if the primary serves without an open fallback, so that losing it would be an outage. */
  readonly hasFallback: boolean
  /** True while the rows are restored from the archive: every request for one is refused. */
  readonly isRestoring: boolean
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
  if (settings.isRestoring) return { ready: 503, health: 'warn' }
  switch (row) {
    case 'not-asked':
    case 'local':
      return { ready: 200, health: 'pass' }
    case 'connecting-first':
      return { ready: settings.boot === 'lazy' ? 200 : 503, health: 'warn' }
    case 'connecting-later':
    case 'failover':
      return { ready: 200, health: 'warn' }
    case 'connecting-later-alone':
      return { ready: 503, health: 'warn' }
    case 'primary':
      return { ready: 200, health: settings.hasFallback ? 'pass' : 'warn' }
    case 'fallback':
      return { ready: settings.readiness === 'primary' ? 503 : 200, health: 'warn' }
    case 'error':
      return { ready: 503, health: 'fail' }
  }
}

/** Applies the health table to the current status. A closing service is not ready, whatever its database does. */
export function healthOf(source: StatusSource): HealthSummary {
  if (source.isClosing()) return { status: 'fail', connection: 'fail', ready: false }
  const database = source.database()
  const { hasFallback } = database
  const isBehind = isRestoring(source.archive()) || mayHaveToRestore(source, database)
  const settings = { ...source.policy(), hasFallback, isRestoring: isBehind }
  const { ready, health } = readinessOf(database.row, settings)
  const status = health === 'pass' && needsAttention(source, database) ? 'warn' : health
  return { status, connection: health, ready: ready === 200 }
}

/** Whether the local store is being opened, and it is not known yet if its rows are to come from the archive. */
function mayHaveToRestore(source: StatusSource, { state, row }: DatabaseSessionContext): boolean {
  return source.archive()?.phase === 'idle' && state === 'CONNECTING_FALLBACK' && row === 'not-asked'
}

/** Whether something apart from the connection needs attention. */
function needsAttention(source: StatusSource, { writeBlock, diskFull, journal }: DatabaseSessionContext): boolean {
  return (
    diskFull ||
    // A block chosen by a setting is no warning.
    (writeBlock !== null && writeBlock !== 'setting') ||
    (journal !== null && journal.transactions > 0) ||
    source.conflicts() > 0 ||
    source.lacking().length > 0 ||
    source.keyless().length > 0 ||
    archiveNeedsAttention(source.archive()) ||
    source.problems().some(({ severity }) => severity !== 'info')
  )
}
