import type { Fault } from '../../driver/fault.ts'
import type { Event, Moment } from './event.ts'
import { isPromotionNear, type Policy, pauseMs, times } from './policy.ts'
import type { ConnectingFallback, Recovery, Tried } from './state.ts'

type Step<S, K extends Recovery<S>['step']> = Extract<Recovery<S>, { step: K }>

/** The first step of the way back, when the fallback takes over; `id` names it. */
export function firstRecovery<S>(state: ConnectingFallback<S>, event: Moment, id: number): Recovery<S> {
  const { cause, loss } = state
  const { stayMs, host, hasOthers } = loss
  const pause = pauseMs({ failures: 0, hasOthers }, event.chance, cause)
  return {
    step: 'waiting',
    id,
    // Where the address has other hosts, these are tried at once.
    until: event.at + (host === null ? Math.max(stayMs, pause) : pause),
    proofs: 0,
    failures: 0,
    failedCarries: 0,
    lost: host === null ? null : { host, avoidedUntil: event.at + stayMs },
    isAvoiding: host !== null && stayMs > 0,
    hasOthers,
    lastFault: cause,
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
    return pausing(recovery, event, id)
  }
  if (event.id !== recovery.id) return recovery
  switch (recovery.step) {
    case 'waiting':
      return event.type === 'timer.due' ? probing(recovery, event, id, policy) : recovery
    case 'probing':
      if (event.type === 'probe.passed') return afterProof(recovery, event, id)
      return event.type === 'probe.failed' ? notProven(recovery, event, id, event.fault) : recovery
    case 'replaying':
      if (event.type === 'carried') return switching(recovery, event, id, event.primary)
      return event.type === 'carry.failed' ? notCarried(recovery, event, id, event.fault) : recovery
    case 'switching':
      if (event.type === 'switched') return 'primary'
      return event.type === 'switch.failed' ? notCarried(recovery, event, id, event.fault) : recovery
    case 'pausing': {
      const { rounds, primary } = recovery
      return event.type === 'timer.due' ? { step: 'replaying', id, ...triedOf(recovery), rounds, primary } : recovery
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
  return notProven(recovery, event, id, fault)
}

function triedOf({ failures, failedCarries, lost, isAvoiding, hasOthers }: Tried): Tried {
  return { failures, failedCarries, lost, isAvoiding, hasOthers }
}

function probing<S>(recovery: Step<S, 'waiting'>, event: Moment, id: number, policy: Policy): Recovery<S> {
  const { proofs, lost } = recovery
  const tried = { ...triedOf(recovery), isAvoiding: lost !== null && event.at < lost.avoidedUntil }
  return { step: 'probing', id, until: event.at + policy.connectMs, proofs, ...tried }
}

/**
 * One committed write may be luck; two, a little apart, prove a database. A member that was promoted is not one that has failed
 * and may fail again: there the write that its opening commits is the second.
 */
function afterProof<S>(recovery: Step<S, 'probing'>, event: Moment, id: number): Recovery<S> {
  const tried = triedOf(recovery)
  if (recovery.proofs >= 1 || isPromotionNear(recovery))
    return { step: 'replaying', id, ...tried, rounds: 0, primary: null }
  const until = event.at + times.proofGapMs
  return { step: 'waiting', id, until, proofs: 1, ...tried, lastFault: null }
}

function switching<S>(recovery: Step<S, 'replaying'>, event: Moment, id: number, primary: S): Recovery<S> {
  const { rounds } = recovery
  const deadline = event.at + holdMs(rounds)
  return { step: 'switching', id, deadlineId: id + 1, deadline, ...triedOf(recovery), rounds, primary }
}

/** How long the hold after so many that were too short lasts. */
function holdMs(rounds: number): number {
  return times.switchHoldsMs[Math.min(rounds, times.switchHoldsMs.length - 1)] ?? 0
}

/** Lets writes in again for at least as long as they were held, so that a switch that never ends in time leaves them half of the time. */
function pausing<S>(recovery: Step<S, 'switching'>, event: Moment, id: number): Recovery<S> {
  const { rounds, primary } = recovery
  const until = event.at + holdMs(rounds) * (1 + event.chance / 2)
  return { step: 'pausing', id, until, ...triedOf(recovery), rounds: rounds + 1, primary }
}

function notCarried<S>(tried: Tried, event: Moment, id: number, fault: Fault): Recovery<S> {
  return waitAgain(tried, tried.failedCarries + 1, event, id, fault)
}

/** The primary is not back: what could not be carried to it before says nothing about the next one. */
function notProven<S>(tried: Tried, event: Moment, id: number, fault: Fault): Recovery<S> {
  return waitAgain(tried, 0, event, id, fault)
}

function waitAgain<S>(before: Tried, failedCarries: number, event: Moment, id: number, fault: Fault): Recovery<S> {
  const tried = { ...triedOf(before), failures: before.failures + 1, failedCarries }
  const until = event.at + pauseMs(tried, event.chance, fault)
  return { step: 'waiting', id, until, proofs: 0, ...tried, lastFault: fault }
}
