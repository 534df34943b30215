import type { Fault } from '../../driver/fault.ts'
import type { Event, Moment } from './event.ts'
import { type Policy, times } from './policy.ts'
import type { ConnectingPrimary, Opening, PrimaryConnected, Standby } from './state.ts'

/** A fallback that is being opened; it has failed at `until`. */
export function opening(id: number, event: Moment, policy: Policy): Opening {
  return { status: 'opening', id, until: event.at + policy.connectMs }
}

/** Keeps a fallback that is open or being opened; starts to open one otherwise. */
export function standbyFor<S>(policy: Policy, kept: Standby<S> | null, event: Moment, id: number): Standby<S> {
  if (!policy.fallback) return { status: 'off' }
  return kept?.status === 'open' || kept?.status === 'opening' ? kept : opening(id, event, policy)
}

/** Whether this fallback is the one that operation `id` opens. */
export function isFor<S>(standby: Standby<S>, id: number): boolean {
  return standby.status === 'opening' && standby.id === id
}

/** The fallback next to the primary opens, fails and is retried by itself; null when the event is not about it. */
export function standbyAfter<S>(
  state: ConnectingPrimary<S> | PrimaryConnected<S>,
  event: Event<S>,
  policy: Policy,
): { readonly standby: Standby<S>; readonly lastId: number } | null {
  const { standby, lastId } = state
  const id = lastId + 1
  switch (event.type) {
    case 'fallback.opened':
      if (!isFor(standby, event.id)) return null
      return { lastId, standby: { status: 'open', store: event.store } }
    case 'fallback.failed':
      if (!isFor(standby, event.id)) return null
      return { lastId: id, standby: failedStandby(event, event.fault, id) }
    case 'store.lost':
      if (standby.status !== 'open' || standby.store !== event.store) return null
      return { lastId: id, standby: opening(id, event, policy) }
    case 'timer.due':
      if (standby.status !== 'failed' || standby.id !== event.id) return null
      return { lastId: id, standby: opening(id, event, policy) }
    default:
      return null
  }
}

function failedStandby<S>(event: Moment, fault: Fault, id: number): Standby<S> {
  const longestMs = fault.kind === 'transient' ? times.busyStandbyRetryMs : times.standbyRetryMs
  const waitMs = longestMs * (0.5 + event.chance / 2)
  return { status: 'failed', id, fault, retryAt: event.at + waitMs }
}
