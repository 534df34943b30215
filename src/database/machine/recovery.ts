import type { Fault } from '../../driver/fault.ts'
import type { Event, Moment } from './event.ts'
import { backoffMs, type Policy, pauseMs, times } from './policy.ts'
import type { ConnectingFallback, Recovery } from './state.ts'

/** The first step of the way back, when the fallback takes over; `id` names it. */
export function firstRecovery<S>(state: ConnectingFallback<S>, event: Moment, id: number): Recovery<S> {
  if (state.owes) return { step: 'replaying', id, failures: 0, rounds: 0, primary: null }
  return {
    step: 'waiting',
    id,
    until: event.at + Math.max(state.stayMs, pauseMs(0, event.chance, state.cause)),
    proofs: 0,
    failures: 0,
    lastFault: state.cause,
  }
}

/**
 * The next step of the way back: the same object when the event is not for it, `primary` when it is complete. The next
 * step may use `id` and `id + 1`.
 */
export function recoveryAfter<S>(
  recovery: Recovery<S>,
  event: Event<S>,
  id: number,
  policy: Policy,
): Recovery<S> | 'primary' {
  if (recovery.step === 'none' || !('id' in event)) return recovery
  if (recovery.step === 'switching' && event.type === 'timer.due' && event.id === recovery.deadlineId) {
    return resting(recovery, event, id)
  }
  if (event.id !== recovery.id) return recovery
  switch (recovery.step) {
    case 'waiting':
      return event.type === 'timer.due' ? probing(recovery, event, id, policy) : recovery
    case 'probing':
      if (event.type === 'probe.passed') return afterProof(recovery, event, id)
      return event.type === 'probe.failed' ? waitAgain(recovery, event, id, event.fault) : recovery
    case 'replaying':
      if (event.type === 'carried') return switching(recovery, event, id, event.primary)
      return event.type === 'carry.failed' ? waitAgain(recovery, event, id, event.fault) : recovery
    case 'switching':
      if (event.type === 'switched') return 'primary'
      return event.type === 'switch.failed' ? waitAgain(recovery, event, id, event.fault) : recovery
    case 'resting': {
      const { failures, rounds, primary } = recovery
      return event.type === 'timer.due' ? { step: 'replaying', id, failures, rounds, primary } : recovery
    }
  }
}

/** The way back after this primary was lost; the same object when it does not hold this one. */
export function withoutPrimary<S>(
  recovery: Recovery<S>,
  event: Moment,
  store: S,
  fault: Fault,
  id: number,
): Recovery<S> {
  if (!('primary' in recovery) || recovery.primary !== store) return recovery
  return waitAgain(recovery, event, id, fault)
}

function probing<S>(
  recovery: { readonly proofs: number; readonly failures: number },
  event: Moment,
  id: number,
  policy: Policy,
): Recovery<S> {
  const { proofs, failures } = recovery
  return { step: 'probing', id, until: event.at + policy.connectMs, proofs, failures }
}

/** One committed write may be luck; two, a little apart, prove a database. */
function afterProof<S>(
  recovery: { readonly proofs: number; readonly failures: number },
  event: Moment,
  id: number,
): Recovery<S> {
  const { proofs, failures } = recovery
  if (proofs >= 1) return { step: 'replaying', id, failures, rounds: 0, primary: null }
  return { step: 'waiting', id, until: event.at + times.proofGapMs, proofs: 1, failures, lastFault: null }
}

function switching<S>(
  recovery: { readonly failures: number; readonly rounds: number },
  event: Moment,
  id: number,
  primary: S,
): Recovery<S> {
  const { failures, rounds } = recovery
  const deadline = event.at + times.switchHoldMs
  return { step: 'switching', id, deadlineId: id + 1, deadline, failures, rounds, primary }
}

/** Lets writes in again, longer each round, so that a switch that never ends in time does not hold them for good. */
function resting<S>(
  recovery: { readonly failures: number; readonly rounds: number; readonly primary: S },
  event: Moment,
  id: number,
): Recovery<S> {
  const { failures, rounds, primary } = recovery
  const until = event.at + backoffMs(rounds + 2, event.chance, times.backoffCapMs)
  return { step: 'resting', id, until, failures, rounds: rounds + 1, primary }
}

function waitAgain<S>(recovery: { readonly failures: number }, event: Moment, id: number, fault: Fault): Recovery<S> {
  const failures = recovery.failures + 1
  return {
    step: 'waiting',
    id,
    until: event.at + pauseMs(failures, event.chance, fault),
    proofs: 0,
    failures,
    lastFault: fault,
  }
}
