import type { Fault } from '../../driver/driver.ts'
import type { Event } from '../machine/event.ts'
import type { State } from '../machine/state.ts'
import type { DatabaseObservation } from './observation.ts'

const failedTries = {
  'primary.failed': 'primary',
  'fallback.failed': 'fallback',
  'probe.failed': 'probe',
  'carry.failed': 'carry',
  'switch.failed': 'switch',
} as const

/** The failed try that an event tells of; null when it tells of none. */
export function attemptFailure<S>(
  before: State<S>,
  event: Event<S>,
): Extract<DatabaseObservation, { type: 'connection.attempt.failed' }> | null {
  if (!isFailure(event)) return null
  return {
    type: 'connection.attempt.failed',
    what: failedTries[event.type],
    attempt: tryOf(before),
    fault: event.fault,
  }
}

/** Which try this is of the tries in a row; 1 for the first. */
export function tryOf<S>(state: State<S>): number {
  switch (state.name) {
    case 'CONNECTING_PRIMARY':
      return state.attempt
    case 'FALLBACK_CONNECTED':
      return 'failures' in state.recovery ? state.recovery.failures + 1 : 1
    case 'CONNECTING_FALLBACK':
    case 'CONNECTION_ERROR':
      return state.failures + 1
    default:
      return 1
  }
}

/** Why the state is what it is now; null when no fault led there. */
export function faultOfState<S>(event: Event<S>, after: State<S>): Fault | null {
  switch (after.name) {
    case 'CONNECTION_ERROR':
      return after.fault
    case 'CONNECTING_FALLBACK':
    case 'FALLBACK_CONNECTED':
      return after.cause
    default:
      return 'fault' in event ? event.fault : null
  }
}

function isFailure<S>(event: Event<S>): event is Extract<Event<S>, { type: keyof typeof failedTries }> {
  return event.type in failedTries
}
