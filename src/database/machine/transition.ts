import type { Fault } from '../../driver/fault.ts'
import { carryingAfter, carryingBy, noCarrying } from './carrying.ts'
import type { Event, Happening, Moment } from './event.ts'
import {
  deadlineFault,
  harmlessKinds,
  mayBeSearched,
  mayServeElsewhere,
  retryableKinds,
  timeoutFault,
} from './faults.ts'
import { failuresAfter, lossOf } from './flap-damping.ts'
import { leadsToFallback, type Policy, times } from './policy.ts'
import { firstRecovery, recoveryAfter, withoutPrimary } from './recovery.ts'
import { isFor, opening, standbyAfter } from './standby.ts'
import {
  type ConnectingFallback,
  type ConnectingPrimary,
  type ConnectionError,
  type FallbackConnected,
  healthRow,
  type Loss,
  noLoss,
  type PrimaryConnected,
  type State,
  undamped,
} from './state.ts'
import { begin, common, searchMember, toError, toFallback } from './state-constructors.ts'

type LossEvent<S> = Moment & Extract<Happening<S>, { type: 'store.lost' }>

/**
 * The state machine: pure and total; its only clock is `event.at`. Returns the *same object* when the event means nothing
 * in this state (a late answer, a second request), so that a caller sees by identity whether anything changed.
 */
export function transition<S>(state: State<S>, event: Event<S>, policy: Policy): State<S> {
  if (event.type === 'closed' || event.type === 'reconfigured') return disconnect(state, event)
  if (event.type === 'store.lost' && harmlessKinds.has(event.fault.kind)) return state
  switch (state.name) {
    case 'DISCONNECTED':
      return event.type === 'requested' && state.reason !== 'closed' ? begin(state, event, policy, 0, null) : state
    case 'CONNECTING_PRIMARY':
      return whileConnectingPrimary(state, event, policy)
    case 'CONNECTING_FALLBACK':
      return whileConnectingFallback(state, event, policy)
    case 'PRIMARY_CONNECTED':
      return whilePrimaryServes(state, event, policy)
    case 'FALLBACK_CONNECTED':
      return whileFallbackServes(state, event, policy)
    case 'CONNECTION_ERROR':
      return whileNothingServes(state, event, policy)
  }
}

/** Closed is final. */
function disconnect<S>(state: State<S>, event: Event<S>): State<S> {
  const reason = event.type === 'closed' ? 'closed' : 'settings-changed'
  if (state.name === 'DISCONNECTED' && (state.reason === reason || state.reason === 'closed')) return state
  return { name: 'DISCONNECTED', ...common(state, event, 0), damping: undamped, reason }
}

function whileConnectingPrimary<S>(state: ConnectingPrimary<S>, event: Event<S>, policy: Policy): State<S> {
  const standby = standbyAfter(state, event, policy)
  if (standby !== null) return settled({ ...state, ...standby, carrying: noCarrying }, event)
  const carrying = carryingAfter(state.carrying, event, state.lastId + 1)
  if (carrying !== null) return whileJournalDrains({ ...state, lastId: state.lastId + 1, carrying }, event)
  switch (event.type) {
    case 'primary.opened':
      return isOpening(state, event.id) ? settled(opened(state, event, event.store), event) : state
    case 'primary.failed':
      return isOpening(state, event.id) ? afterFailedAttempt(state, event, event.fault, policy) : state
    case 'store.lost':
      if (state.step.at !== 'opened' || state.step.store !== event.store) return state
      return afterFailedAttempt({ ...state, carrying: noCarrying }, event, event.fault, policy)
    case 'timer.due':
      if (event.id === state.deadlineId) return atDeadline(state, event, policy)
      if (event.id !== state.step.id || state.step.at === 'opening') return state
      if (state.step.at === 'opened') return primaryServes(state, event, state.step.store)
      return openAgain(state)
    default:
      return state
  }
}

function openAgain<S>(state: ConnectingPrimary<S>): ConnectingPrimary<S> {
  const id = state.lastId + 1
  return { ...state, lastId: id, attempt: state.attempt + 1, step: { at: 'opening', id } }
}

function opened<S>(state: ConnectingPrimary<S>, event: Moment, store: S): ConnectingPrimary<S> {
  const id = state.lastId + 1
  return { ...state, lastId: id, step: { at: 'opened', id, store, until: event.at + times.carryFirstMs } }
}

/** An open primary serves once the fallback's journal is drained, or where there is none. */
function settled<S>(state: ConnectingPrimary<S>, event: Moment): State<S> {
  if (state.step.at !== 'opened' || state.standby.status === 'opening') return state
  return state.standby.status === 'open' ? carryBeside(state) : primaryServes(state, event, state.step.store)
}

function carryBeside<S, T extends ConnectingPrimary<S> | PrimaryConnected<S>>(state: T): T {
  const id = state.lastId + 1
  return { ...state, lastId: id, carrying: carryingBy(id) }
}

/** The rest is carried next to the serving primary, where carrying on would only fail again. */
function whileJournalDrains<S>(state: ConnectingPrimary<S>, event: Event<S>): State<S> {
  const { step, carrying } = state
  if (step.at !== 'opened') return state
  const isHopeless = carrying.step === 'waiting' && !retryableKinds.has(carrying.lastFault.kind)
  return carrying.step === 'none' || isHopeless ? primaryServes(state, event, step.store) : state
}

function primaryServes<S>(state: ConnectingPrimary<S>, event: Moment, store: S): PrimaryConnected<S> {
  const { failures, standby, carrying } = state
  return { name: 'PRIMARY_CONNECTED', ...common(state, event, 0), hasServed: true, store, failures, standby, carrying }
}

function isOpening<S>(state: ConnectingPrimary<S>, id: number): boolean {
  return state.step.at === 'opening' && state.step.id === id
}

function afterFailedAttempt<S>(state: ConnectingPrimary<S>, event: Moment, fault: Fault, policy: Policy): State<S> {
  const isSearching = state.failover !== null
  const until = event.at + (isSearching ? times.failoverRetryMs : policy.retryDelayMs)
  const isOver = isSearching
    ? !mayBeSearched(fault)
    : !retryableKinds.has(fault.kind) || state.attempt >= policy.attempts || until >= state.deadline
  if (isOver) return leavePrimary(state, event, fault, policy)
  return {
    ...state,
    lastId: state.lastId + 1,
    lastFault: fault,
    step: { at: 'waiting', id: state.lastId + 1, until },
  }
}

/**
 * At the deadline an open primary serves; one that has not answered is a black hole, whatever it answered before. The fault
 * names the limit that has passed: CONNECTION_TIMEOUT where no other store could serve.
 */
function atDeadline<S>(state: ConnectingPrimary<S>, event: Moment, policy: Policy): State<S> {
  if (state.step.at === 'opened') return primaryServes(state, event, state.step.store)
  // Why the primary was lost says more than what the others answered meanwhile.
  if (state.failover !== null) return leavePrimary(state, event, state.failover.cause, policy)
  const known = state.lastFault
  if (known !== null && leadsToFallback(known, policy)) return leavePrimary(state, event, known, policy)
  const isLonger = state.deadline > state.since + policy.timeoutMs
  return leavePrimary(state, event, isLonger ? timeoutFault(policy.connectMs) : deadlineFault, policy)
}

/** The primary was tried and cannot serve: to the fallback if it may serve, else to an error. */
function leavePrimary<S>(state: ConnectingPrimary<S>, event: Moment, fault: Fault, policy: Policy): State<S> {
  if (leadsToFallback(fault, policy)) return toFallback(state, event, policy, fault, state.failover?.loss)
  return toError(state, event, fault, { declared: true, failures: state.failures, standby: state.standby })
}

function whileConnectingFallback<S>(state: ConnectingFallback<S>, event: Event<S>, policy: Policy): State<S> {
  const { standby } = state
  switch (event.type) {
    case 'fallback.opened':
      return isFor(standby, event.id) ? fallbackServes(state, event, event.store) : state
    case 'fallback.failed': {
      if (!isFor(standby, event.id)) return state
      const { declared, failures } = state
      return toError(state, event, event.fault, { declared, failures, standby: { status: 'off' } })
    }
    // The fallback was open before it was needed; the supervisor ends this timer at once.
    case 'timer.due':
      if (standby.status !== 'open' || event.id !== state.lastId) return state
      return fallbackServes(state, event, standby.store)
    case 'store.lost':
      if (standby.status !== 'open' || standby.store !== event.store) return state
      return { ...state, lastId: state.lastId + 1, standby: opening(state.lastId + 1, event, policy) }
    default:
      return state
  }
}

function fallbackServes<S>(state: ConnectingFallback<S>, event: Moment, store: S): FallbackConnected<S> {
  const { declared, cause, failures } = state
  return {
    name: 'FALLBACK_CONNECTED',
    ...common(state, event, 1),
    hasServed: true,
    store,
    declared,
    cause,
    failures,
    recovery: declared ? firstRecovery(state, event, state.lastId + 1) : { step: 'none' },
  }
}

function whilePrimaryServes<S>(state: PrimaryConnected<S>, event: Event<S>, policy: Policy): State<S> {
  const standby = standbyAfter(state, event, policy)
  if (standby !== null) {
    const next = { ...state, ...standby, carrying: noCarrying }
    return next.standby.status === 'open' ? carryBeside(next) : next
  }
  const carrying = carryingAfter(state.carrying, event, state.lastId + 1)
  if (carrying !== null) return { ...state, lastId: state.lastId + 1, carrying }
  if (event.type === 'carry.wanted') {
    return state.standby.status === 'open' && state.carrying.step !== 'running' ? carryBeside(state) : state
  }
  if (event.type !== 'store.lost' || event.store !== state.store) return state
  return primaryLost(state, event, policy)
}

function primaryLost<S>(before: PrimaryConnected<S>, event: LossEvent<S>, policy: Policy): State<S> {
  const { fault, failoverMs = 0 } = event
  const { damping, loss } = lossOf(before, event)
  const failures = failuresAfter(before, event)
  const state = { ...before, damping, failures }
  if (failoverMs > 0 && failures < policy.attempts && mayServeElsewhere(fault)) {
    return searchMember(state, event, policy, { cause: fault, loss }, failoverMs)
  }
  if (leadsToFallback(fault, policy)) return toFallback(state, event, policy, fault, loss)
  if (failures === 0) return begin(state, event, policy, 0, state.standby)
  return toError(state, event, fault, { declared: true, failures, standby: state.standby })
}

function whileFallbackServes<S>(state: FallbackConnected<S>, event: Event<S>, policy: Policy): State<S> {
  if (event.type === 'store.lost') {
    if (event.store === state.store) return fallbackLost(state, event, event.fault, policy)
    const recovery = withoutPrimary(state.recovery, event, event.store, event.fault, state.lastId + 1)
    return recovery === state.recovery ? state : { ...state, lastId: state.lastId + 1, recovery }
  }
  const next = recoveryAfter(state.recovery, event, state.lastId + 1, policy)
  if (next === 'primary') return primaryReturns(state, event)
  return next === state.recovery ? state : { ...state, lastId: state.lastId + 2, recovery: next }
}

function fallbackLost<S>(state: FallbackConnected<S>, event: Moment, fault: Fault, policy: Policy): State<S> {
  const failures = failuresAfter(state, event)
  const { declared } = state
  if (failures > 0) return toError(state, event, fault, { declared, failures, standby: { status: 'off' } })
  return {
    name: 'CONNECTING_FALLBACK',
    ...common(state, event, 1),
    declared,
    before: healthRow(state),
    cause: declared ? (state.cause ?? fault) : null,
    failures: 0,
    loss: restOf(state, event),
    standby: opening(state.lastId + 1, event, policy),
  }
}

/** The rest of a stay is kept: losing the fallback is no reason to return to a primary that flaps. */
function restOf<S>({ recovery }: FallbackConnected<S>, { at }: Moment): Loss {
  if (recovery.step === 'none') return noLoss
  const { lost, hasOthers } = recovery
  const until = lost?.avoidedUntil ?? (recovery.step === 'waiting' ? recovery.until : at)
  return { stayMs: Math.max(0, until - at), host: lost?.host ?? null, hasOthers }
}

function primaryReturns<S>(state: FallbackConnected<S>, event: Moment): State<S> {
  if (state.recovery.step !== 'switching') return state
  return {
    name: 'PRIMARY_CONNECTED',
    ...common(state, event, 1),
    damping: { ...state.damping, returnedAt: event.at },
    store: state.recovery.primary,
    failures: 0,
    standby: { status: 'open', store: state.store },
    // Nothing is left, unless the primary serves although it was not to be carried.
    carrying: carryingBy(state.lastId + 1),
  }
}

function whileNothingServes<S>(state: ConnectionError<S>, event: Event<S>, policy: Policy): State<S> {
  const { standby } = state
  if (event.type === 'timer.due' && event.id === state.retry.id)
    return begin(state, event, policy, state.failures, standby)
  if (event.type === 'store.lost' && standby.status === 'open' && standby.store === event.store) {
    return { ...state, standby: { status: 'off' } }
  }
  if (event.type === 'fallback.opened' && isFor(standby, event.id)) {
    return { ...state, standby: { status: 'open', store: event.store } }
  }
  if (event.type === 'fallback.failed' && isFor(standby, event.id)) return { ...state, standby: { status: 'off' } }
  return state
}
