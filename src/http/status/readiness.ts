import type { HealthRow } from '../../database/machine/state.ts'

/** What the health table depends on besides the state. */
export interface ReadinessSettings {
  readonly boot: 'lazy' | 'eager' | 'required'
  readonly readiness: 'any' | 'primary'
  /** False: the primary serves and its fallback could not be opened, so an outage would be one. */
  readonly hasFallback: boolean
  /** True: the primary serves, and a person should see to something: its fallback takes no writes, or holds rows. */
  readonly isFlawed: boolean
}

/** The status of `/health/ready`, and the word of `/health`. A process that can say so is live. */
export interface Readiness {
  readonly ready: 200 | 503
  readonly health: 'pass' | 'warn' | 'fail'
}

/** The health table (DESIGN). Pure: from memory, in no time. A database that is away is no reason to restart the process. */
export function readinessOf(row: HealthRow, settings: ReadinessSettings): Readiness {
  switch (row) {
    case 'not-asked':
    case 'local':
      return answer(200, 'pass')
    case 'connecting-first':
      return answer(settings.boot === 'lazy' ? 200 : 503, 'warn')
    case 'connecting-later':
      return answer(200, 'warn')
    case 'connecting-later-alone':
      return answer(503, 'warn')
    case 'primary':
      return answer(200, settings.hasFallback && !settings.isFlawed ? 'pass' : 'warn')
    case 'fallback':
      return answer(settings.readiness === 'primary' ? 503 : 200, 'warn')
    case 'error':
      return answer(503, 'fail')
  }
}

function answer(ready: Readiness['ready'], health: Readiness['health']): Readiness {
  return { ready, health }
}
