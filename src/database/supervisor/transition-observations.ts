import type { Fault } from '../../driver/fault.ts'
import type { DatabaseConfig } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import type { Event } from '../machine/event.ts'
import { UnusableDeclaration } from '../machine/faults.ts'
import { type State, servingStore } from '../machine/state.ts'
import { addressAdvice, diskAdvice } from '../store/address-advice.ts'
import { advised } from '../store/advice.ts'
import type { Store } from '../store/store.ts'
import type { DatabaseObservation } from './observation.ts'

const failedAttempts = {
  'primary.failed': 'primary',
  'fallback.failed': 'fallback',
  'probe.failed': 'probe',
  'carry.failed': 'carry',
  'drain.failed': 'carry',
  'switch.failed': 'switch',
} as const

/** What there is to observe about `event`, which led from `before` to `after` (the same object when nothing else changed). */
export function observationsOf(
  before: State<Store>,
  event: Event<Store>,
  after: State<Store>,
  { declared, primary }: DatabaseConfig,
  settings: ConnectionSettings,
): readonly DatabaseObservation[] {
  const seen: DatabaseObservation[] = []
  const isChanged = before.name !== after.name
  const reason = faultOfState(event, after)
  if (isFailure(event)) {
    const { type, fault } = event
    // An unusable declaration is a problem already, and no attempt: the change of state alone repeats it.
    const isRepeated = isChanged && reason === fault && fault.cause instanceof UnusableDeclaration
    const what = failedAttempts[type]
    if (!isRepeated) seen.push({ type: 'connection.attempt.failed', what, attempt: attemptOf(before), fault })
  }
  if (event.type === 'primary.opened' || event.type === 'fallback.opened') {
    seen.push(...openedObservations(event.store, declared, settings.isArchived))
  }
  if (isChanged) {
    seen.push({
      type: 'connection.changed',
      from: before.name,
      to: after.name,
      reason: event.type,
      isFailover: isFailover(before) || isFailover(after),
      declared,
      fault: reason && advised(reason, primary?.target ?? null, settings),
      lastedMs: event.at - before.since,
      store: servingStore(after)?.store.label ?? null,
    })
  }
  return seen
}

/** Which attempt of those in a row is under way; 1 for the first. */
export function attemptOf<S>(state: State<S>): number {
  switch (state.name) {
    case 'CONNECTING_PRIMARY':
      return 'failures' in state.carrying ? state.carrying.failures + 1 : state.attempt
    case 'PRIMARY_CONNECTED':
      return 'failures' in state.carrying ? state.carrying.failures + 1 : 1
    case 'FALLBACK_CONNECTED':
      return 'failures' in state.recovery ? state.recovery.failures + 1 : 1
    case 'CONNECTING_FALLBACK':
    case 'CONNECTION_ERROR':
      return state.failures + 1
    default:
      return 1
  }
}

/** That a store was opened, and what is worth considering about it. */
function openedObservations(store: Store, isDeclared: boolean, isArchived: boolean): readonly DatabaseObservation[] {
  const { role, driver, target, label, facts, disk } = store
  const shown = role === 'primary' || isDeclared ? role : 'local'
  const onDisk = disk === null ? null : diskAdvice(disk.kind, shown, isArchived)
  const advice = [...(role === 'primary' ? addressAdvice(target, facts) : []), ...(onDisk === null ? [] : [onDisk])]
  return [
    { type: 'store.opened', role, shown, driver: driver.name, label, problems: facts.problems },
    ...advice.map((text) => ({ type: 'store.advised', shown, label, advice: text }) as const),
  ]
}

/** The fault that led to this state; null when none did. */
function faultOfState<S>(event: Event<S>, after: State<S>): Fault | null {
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

function isFailover<S>(state: State<S>): boolean {
  return state.name === 'CONNECTING_PRIMARY' && state.failover !== null
}

function isFailure<S>(event: Event<S>): event is Extract<Event<S>, { type: keyof typeof failedAttempts }> {
  return event.type in failedAttempts
}
