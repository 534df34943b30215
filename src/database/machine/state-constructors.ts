import type { Fault } from '../../driver/fault.ts'
import type { Moment } from './event.ts'
import { backoffMs, type Policy, pauseMs, times } from './policy.ts'
import { opening, standbyFor } from './standby.ts'
import {
  type Common,
  type ConnectingFallback,
  type ConnectingPrimary,
  type ConnectionError,
  type Failover,
  healthRow,
  type Loss,
  noLoss,
  type PrimaryConnected,
  type Standby,
  type State,
} from './state.ts'

/** The common part of a new state; `ids` is how many operation ids it uses. */
export function common<S>(state: State<S>, event: Moment, ids: number): Common {
  return { since: event.at, lastId: state.lastId + ids, damping: state.damping, hasServed: state.hasServed }
}

/** Starts to connect: to the primary when one is declared, else to the local store. */
export function begin<S>(
  state: State<S>,
  event: Moment,
  policy: Policy,
  failures: number,
  kept: Standby<S> | null,
): ConnectingPrimary<S> | ConnectingFallback<S> {
  const id = state.lastId + 1
  if (!policy.declared) {
    return {
      name: 'CONNECTING_FALLBACK',
      ...common(state, event, 1),
      declared: false,
      before: healthRow(state),
      cause: null,
      failures,
      loss: noLoss,
      standby: opening(id, event, policy),
    }
  }
  const standby = standbyFor(policy, kept, event, id + 2)
  return {
    name: 'CONNECTING_PRIMARY',
    ...common(state, event, 3),
    attempt: 1,
    step: { at: 'opening', id },
    deadline: event.at + primaryLimitMs(policy, failures, standby),
    deadlineId: id + 1,
    lastFault: null,
    failures,
    failover: null,
    standby,
    carrying: { step: 'none' },
  }
}

/**
 * Starts to look for another member of the cluster of a primary that was lost. One that was lost at once, as the one before
 * it, makes the first attempt wait: two hosts that lose every connection must not be opened in a loop.
 */
export function searchMember<S>(
  state: PrimaryConnected<S>,
  event: Moment,
  policy: Policy,
  failover: Failover,
  limitMs: number,
): ConnectingPrimary<S> {
  const { failures } = state
  const id = state.lastId + 1
  const until = event.at + backoffMs(failures, event.chance, times.backoffCapMs)
  return {
    name: 'CONNECTING_PRIMARY',
    ...common(state, event, 3),
    attempt: 1,
    step: failures === 0 ? { at: 'opening', id } : { at: 'waiting', id, until },
    deadline: event.at + limitMs,
    deadlineId: id + 1,
    lastFault: failures === 0 ? null : failover.cause,
    failures,
    failover,
    standby: standbyFor(policy, state.standby, event, id + 2),
    carrying: { step: 'none' },
  }
}

/** A slow primary gets its full time when no other store can serve meanwhile. */
function primaryLimitMs<S>(policy: Policy, failures: number, standby: Standby<S>): number {
  const isAlone = standby.status === 'off' || (failures > 0 && standby.status !== 'open')
  return isAlone ? Math.max(policy.timeoutMs, policy.connectMs) : policy.timeoutMs
}

/** To a fallback that serves because the primary cannot. */
export function toFallback<S>(
  state: ConnectingPrimary<S> | PrimaryConnected<S>,
  event: Moment,
  policy: Policy,
  cause: Fault,
  loss: Loss = noLoss,
): ConnectingFallback<S> {
  const { standby } = state
  const isUsable = standby.status === 'open' || standby.status === 'opening'
  return {
    name: 'CONNECTING_FALLBACK',
    ...common(state, event, 1),
    declared: true,
    before: healthRow(state),
    cause,
    failures: state.failures,
    loss,
    standby: isUsable ? standby : opening(state.lastId + 1, event, policy),
  }
}

/** To an error that is retried. */
export function toError<S>(
  state: State<S>,
  event: Moment,
  fault: Fault,
  data: { readonly declared: boolean; readonly failures: number; readonly standby: Standby<S> },
): ConnectionError<S> {
  return {
    name: 'CONNECTION_ERROR',
    ...common(state, event, 1),
    fault,
    declared: data.declared,
    failures: data.failures + 1,
    retry: {
      id: state.lastId + 1,
      at: event.at + pauseMs({ failures: data.failures, hasOthers: false }, event.chance, fault),
    },
    standby: data.standby.status === 'failed' ? { status: 'off' } : data.standby,
  }
}
