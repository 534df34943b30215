import type { DatabaseStatus, StatusSource } from './status-source.ts'

/** The words of `application/health+json`. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** What the state means for whoever asks whether the service is well. */
export interface Verdict {
  readonly status: HealthStatus
  readonly ready: boolean
}

/** One row of the health table, with the policies that bend it. Pure. */
export function verdictOf(database: DatabaseStatus, policy: ReturnType<StatusSource['policy']>): Verdict {
  switch (database.row) {
    case 'not-asked':
    case 'local':
      return { status: 'pass', ready: true }
    case 'connecting-first':
      return { status: 'warn', ready: policy.boot === 'lazy' }
    case 'connecting-later':
      return { status: 'warn', ready: true }
    case 'connecting-later-alone':
      return { status: 'warn', ready: false }
    case 'primary':
      // A fallback that is switched off is a choice; one that cannot be opened is a net that is not there.
      return { status: database.standby === 'failed' ? 'warn' : 'pass', ready: true }
    case 'fallback':
      return { status: 'warn', ready: policy.readiness === 'any' }
    case 'error':
      return { status: 'fail', ready: false }
  }
}
