import type { Fault, FaultKind } from '../driver/fault.ts'
import type { Event, Moment } from './event.ts'
import { backoffMs, type Policy, times } from './policy.ts'
import {
  type Common,
  type ConnectingFallback,
  type ConnectingPrimary,
  type ConnectionError,
  type FallbackConnected,
  healthRow,
  type Opened,
  type Opening,
  type PrimaryConnected,
  type Recovery,
  type Standby,
  type State,
} from './state.ts'

/**
 * The machine: pure, total, in time with nothing but `event.at`. Returns the *same object* when the event means nothing
 * in this state (a late answer, a doubled request), so a caller sees by identity whether something changed.
 */
export function transition<S>(state: State<S>, event: Event<S>, policy: Policy): State<S> {
  if (event.type === 'closed' || event.type === 'reconfigured') return disconnect(state, event)
  switch (state.name) {
    case 'DISCONNECTED':
      return event.type === 'asked' ? begin(state, event, policy, { first: true, failures: 0, standby: null }) : state
    case 'CONNECTING_PRIMARY':
      return whileConnectingPrimary(state, event, policy)
    case 'CONNECTING_FALLBACK':
      return whileConnectingFallback(state, event)
    case 'PRIMARY_CONNECTED':
      return whilePrimaryServes(state, event, policy)
    case 'FALLBACK_CONNECTED':
      return whileFallbackServes(state, event, policy)
    case 'CONNECTION_ERROR':
      return whileNothingServes(state, event, policy)
  }
}

function disconnect<S>(state: State<S>, event: Event<S>): State<S> {
  const reason = event.type === 'closed' ? 'closed' : 'settings-changed'
  if (state.name === 'DISCONNECTED' && state.reason === reason) return state
  return {
    name: 'DISCONNECTED',
    since: event.at,
    lastId: state.lastId,
    stay: { returned: false, lastMs: 0 },
    reason,
  }
}

/** From nothing: to the primary when one is declared, else to the local store. */
function begin<S>(
  state: Common & State<S>,
  event: Moment,
  policy: Policy,
  from: { readonly first: boolean; readonly failures: number; readonly standby: Standby<S> | null },
): State<S> {
  const id = state.lastId + 1
  if (!policy.declared) {
    return {
      name: 'CONNECTING_FALLBACK',
      since: event.at,
      lastId: id,
      stay: state.stay,
      declared: false,
      before: healthRow(state),
      cause: null,
      owes: false,
      failures: from.failures,
      stayMs: 0,
      standby: { status: 'opening', id },
    }
  }
  const standby = standbyFor(policy, from.standby, id + 2)
  return {
    name: 'CONNECTING_PRIMARY',
    since: event.at,
    lastId: id + 2,
    stay: state.stay,
    first: from.first,
    attempt: 1,
    step: { at: 'opening', id },
    deadline: event.at + policy.timeoutMs,
    deadlineId: id + 1,
    lastFault: null,
    failures: from.failures,
    standby,
  }
}

/** Keeps a fallback that is open or on its way; opens one anew otherwise. */
function standbyFor<S>(policy: Policy, standby: Standby<S> | null, id: number): Standby<S> {
  if (!policy.fallback) return { status: 'off' }
  if (standby?.status === 'open' || standby?.status === 'opening') return standby
  return { status: 'opening', id }
}

function whileConnectingPrimary<S>(state: ConnectingPrimary<S>, event: Event<S>, policy: Policy): State<S> {
  const standby = standbyAfter(state, event)
  if (standby !== null) return { ...state, ...standby }
  switch (event.type) {
    case 'primary.opened':
      if (!isOpening(state, event.id)) return state
      return {
        name: 'PRIMARY_CONNECTED',
        since: event.at,
        lastId: state.lastId,
        stay: state.stay,
        store: event.store,
        standby: state.standby,
      }
    case 'primary.owes':
      if (!isOpening(state, event.id)) return state
      return toFallback(state, event, { cause: null, owes: true, stayMs: 0, failures: state.failures })
    case 'primary.failed':
      if (!isOpening(state, event.id)) return state
      return afterFailedAttempt(state, event, event.fault, policy)
    case 'due':
      if (event.id === state.deadlineId) return leavePrimary(state, event, state.lastFault ?? deadlineFault, policy)
      if (state.step.at !== 'waiting' || event.id !== state.step.id) return state
      return {
        ...state,
        lastId: state.lastId + 1,
        attempt: state.attempt + 1,
        step: { at: 'opening', id: state.lastId + 1 },
      }
    default:
      return state
  }
}

function isOpening<S>(state: ConnectingPrimary<S>, id: number): boolean {
  return state.step.at === 'opening' && state.step.id === id
}

/** Kinds that the next attempt may not meet again; of the others another attempt would only say the same. */
const worthRetrying: ReadonlySet<FaultKind> = new Set<FaultKind>(['unreachable', 'lost', 'capacity', 'transient'])

function afterFailedAttempt<S>(state: ConnectingPrimary<S>, event: Moment, fault: Fault, policy: Policy): State<S> {
  const until = event.at + policy.retryDelayMs
  if (!worthRetrying.has(fault.kind) || state.attempt >= policy.attempts || until >= state.deadline) {
    return leavePrimary(state, event, fault, policy)
  }
  return {
    ...state,
    lastId: state.lastId + 1,
    lastFault: fault,
    step: { at: 'waiting', id: state.lastId + 1, until },
  }
}

/** The primary was tried and does not serve: the fallback, if it may; else an error that is tried again. */
function leavePrimary<S>(state: ConnectingPrimary<S>, event: Moment, fault: Fault, policy: Policy): State<S> {
  if (leadsToFallback(fault, policy)) {
    return toFallback(state, event, { cause: fault, owes: false, stayMs: 0, failures: state.failures })
  }
  return toError(state, event, fault, { declared: true, failures: state.failures, standby: state.standby })
}

function leadsToFallback(fault: Fault, policy: Policy): boolean {
  return policy.fallback && (policy.conditions as ReadonlySet<string>).has(fault.kind)
}

/** The deadline passed and no attempt had answered: a black hole. */
const deadlineFault: Fault = {
  kind: 'unreachable',
  code: 'FALLBACK_TIMEOUT',
  summary: 'The primary did not answer within FALLBACK_TIMEOUT.',
  hint: 'Check host, port and firewall, or raise FALLBACK_TIMEOUT.',
  ambiguous: false,
  cause: undefined,
}

function toFallback<S>(
  state: ConnectingPrimary<S> | PrimaryConnected<S>,
  event: Moment,
  why: { readonly cause: Fault | null; readonly owes: boolean; readonly stayMs: number; readonly failures: number },
): ConnectingFallback<S> {
  const id = state.lastId + 1
  return {
    name: 'CONNECTING_FALLBACK',
    since: event.at,
    lastId: id,
    stay: state.stay,
    declared: true,
    before: healthRow(state),
    ...why,
    standby: openOrOpening(state.standby, id),
  }
}

function openOrOpening<S>(standby: Standby<S>, id: number): Opening | Opened<S> {
  return standby.status === 'open' || standby.status === 'opening' ? standby : { status: 'opening', id }
}

function toError<S>(
  state: State<S>,
  event: Moment,
  fault: Fault,
  data: { readonly declared: boolean; readonly failures: number; readonly standby: Standby<S> },
): ConnectionError<S> {
  const id = state.lastId + 1
  return {
    name: 'CONNECTION_ERROR',
    since: event.at,
    lastId: id,
    stay: state.stay,
    fault,
    declared: data.declared,
    failures: data.failures + 1,
    retry: { id, at: event.at + backoffMs(data.failures, event.chance, capFor(fault)) },
    standby: data.standby,
  }
}

function capFor(fault: Fault | null): number {
  return fault?.kind === 'auth' ? times.authBackoffCapMs : times.backoffCapMs
}

function whileConnectingFallback<S>(state: ConnectingFallback<S>, event: Event<S>): State<S> {
  const { standby } = state
  switch (event.type) {
    case 'fallback.opened':
      if (standby.status !== 'opening' || standby.id !== event.id) return state
      return fallbackServes(state, event, event.store)
    case 'fallback.failed':
      if (standby.status !== 'opening' || standby.id !== event.id) return state
      return toError(state, event, event.fault, {
        declared: state.declared,
        failures: state.failures,
        standby: { status: 'off' },
      })
    // It was open already when it was needed; the supervisor answers the demand at once with what is there.
    case 'due':
      return standby.status === 'open' && event.id === state.lastId
        ? fallbackServes(state, event, standby.store)
        : state
    case 'store.lost':
      if (standby.status !== 'open' || standby.store !== event.store) return state
      return { ...state, lastId: state.lastId + 1, standby: { status: 'opening', id: state.lastId + 1 } }
    default:
      return state
  }
}

function fallbackServes<S>(state: ConnectingFallback<S>, event: Moment, store: S): FallbackConnected<S> {
  const id = state.lastId + 1
  return {
    name: 'FALLBACK_CONNECTED',
    since: event.at,
    lastId: id,
    stay: state.stay,
    store,
    declared: state.declared,
    cause: state.cause,
    recovery: firstRecovery(state, event, id),
  }
}

function firstRecovery<S>(state: ConnectingFallback<S>, event: Moment, id: number): Recovery<S> {
  if (!state.declared) return { step: 'none' }
  if (state.owes) return { step: 'replaying', id, failures: 0, rounds: 0 }
  return {
    step: 'waiting',
    id,
    until: event.at + Math.max(state.stayMs, backoffMs(0, event.chance, capFor(state.cause))),
    proofs: 0,
    failures: 0,
    lastFault: state.cause,
  }
}

function whilePrimaryServes<S>(state: PrimaryConnected<S>, event: Event<S>, policy: Policy): State<S> {
  const standby = standbyAfter(state, event)
  if (standby !== null) return { ...state, ...standby }
  if (event.type !== 'store.lost' || event.store !== state.store) return state
  if (!leadsToFallback(event.fault, policy)) {
    return begin(state, event, policy, { first: false, failures: 0, standby: state.standby })
  }
  const { stay, stayMs } = nextStay(state, event.at)
  return { ...toFallback(state, event, { cause: event.fault, owes: false, stayMs, failures: 0 }), stay }
}

/** How long the fallback is kept at least: 0, or 5 s doubling to 30 s when a return did not hold for a minute. */
function nextStay<S>(state: PrimaryConnected<S>, at: number): { stay: Common['stay']; stayMs: number } {
  const servedMs = at - state.since
  const isFlapping = state.stay.returned && servedMs < times.flapWindowMs
  const rememberedMs = servedMs >= times.forgetStaysMs ? 0 : state.stay.lastMs
  const stayMs = isFlapping ? Math.min(times.longestStayMs, Math.max(times.firstStayMs, rememberedMs * 2)) : 0
  return { stay: { returned: false, lastMs: isFlapping ? stayMs : rememberedMs }, stayMs }
}

/** The fallback beside the primary opens, fails and is tried again on its own; null when the event is not about it. */
function standbyAfter<S>(
  state: ConnectingPrimary<S> | PrimaryConnected<S>,
  event: Event<S>,
): { readonly standby: Standby<S>; readonly lastId: number } | null {
  const { standby, lastId } = state
  switch (event.type) {
    case 'fallback.opened':
      if (standby.status !== 'opening' || standby.id !== event.id) return null
      return { lastId, standby: { status: 'open', store: event.store } }
    case 'fallback.failed':
      if (standby.status !== 'opening' || standby.id !== event.id) return null
      return { lastId: lastId + 1, standby: failedStandby(event, event.fault, lastId + 1) }
    case 'store.lost':
      if (standby.status !== 'open' || standby.store !== event.store) return null
      return { lastId: lastId + 1, standby: { status: 'opening', id: lastId + 1 } }
    case 'due':
      if (standby.status !== 'failed' || standby.id !== event.id) return null
      return { lastId: lastId + 1, standby: { status: 'opening', id: lastId + 1 } }
    default:
      return null
  }
}

/** A fallback that cannot be opened beside a healthy primary is tried again at the slow pace: nobody waits for it. */
function failedStandby<S>(event: Moment, fault: Fault, id: number): Standby<S> {
  return {
    status: 'failed',
    id,
    fault,
    failures: 1,
    retryAt: event.at + backoffMs(8, event.chance, times.authBackoffCapMs),
  }
}

function whileFallbackServes<S>(state: FallbackConnected<S>, event: Event<S>, policy: Policy): State<S> {
  if (event.type === 'store.lost') {
    if (event.store === state.store) return reopenFallback(state, event, event.fault)
    if (state.recovery.step !== 'switching' || event.store !== state.recovery.primary) return state
    return withRecovery(state, (id) => waitAgain(event, id, 0, event.fault))
  }
  const next = recoveryAfter(state.recovery, event, state.lastId)
  if (next === 'primary') return primaryReturns(state, event, policy)
  return next === state.recovery ? state : { ...state, lastId: state.lastId + 2, recovery: next }
}

function reopenFallback<S>(state: FallbackConnected<S>, event: Moment, fault: Fault): ConnectingFallback<S> {
  const id = state.lastId + 1
  return {
    name: 'CONNECTING_FALLBACK',
    since: event.at,
    lastId: id,
    stay: state.stay,
    declared: state.declared,
    before: healthRow(state),
    cause: state.declared ? (state.cause ?? fault) : null,
    owes: false,
    failures: 0,
    stayMs: 0,
    standby: { status: 'opening', id },
  }
}

function withRecovery<S>(state: FallbackConnected<S>, make: (id: number) => Recovery<S>): FallbackConnected<S> {
  return { ...state, lastId: state.lastId + 1, recovery: make(state.lastId + 1) }
}

/** The next step of the way back; the same object when the event is not for it; `primary` when it is done. */
function recoveryAfter<S>(recovery: Recovery<S>, event: Event<S>, lastId: number): Recovery<S> | 'primary' {
  const id = lastId + 1
  if (recovery.step === 'none' || !('id' in event)) return recovery
  if (recovery.step === 'switching' && event.type === 'due' && event.id === recovery.deadlineId) {
    return { step: 'replaying', id, failures: 0, rounds: recovery.rounds + 1 }
  }
  if (event.id !== recovery.id) return recovery
  switch (event.type) {
    case 'due':
      if (recovery.step !== 'waiting') return recovery
      return { step: 'probing', id, proofs: recovery.proofs, failures: recovery.failures }
    case 'probe.passed':
      return recovery.step === 'probing' ? afterProof(recovery, event, id) : recovery
    case 'probe.failed':
      return recovery.step === 'probing' ? waitAgain(event, id, recovery.failures + 1, event.fault) : recovery
    case 'carried':
      if (recovery.step !== 'replaying') return recovery
      return {
        step: 'switching',
        id,
        deadlineId: id + 1,
        deadline: event.at + times.switchHoldMs,
        rounds: recovery.rounds,
        primary: event.primary,
      }
    case 'carry.failed':
      return recovery.step === 'replaying' ? waitAgain(event, id, recovery.failures + 1, event.fault) : recovery
    case 'switched':
      return recovery.step === 'switching' ? 'primary' : recovery
    case 'switch.failed':
      return recovery.step === 'switching' ? waitAgain(event, id, 1, event.fault) : recovery
    default:
      return recovery
  }
}

/** One committed write may be luck; two, a little apart, are a database. */
function afterProof<S>(
  recovery: { readonly proofs: number; readonly failures: number },
  event: Moment,
  id: number,
): Recovery<S> {
  if (recovery.proofs >= 1) return { step: 'replaying', id, failures: 0, rounds: 0 }
  return {
    step: 'waiting',
    id,
    until: event.at + times.proofGapMs,
    proofs: 1,
    failures: recovery.failures,
    lastFault: null,
  }
}

function waitAgain<S>(event: Moment, id: number, failures: number, fault: Fault): Recovery<S> {
  return {
    step: 'waiting',
    id,
    until: event.at + backoffMs(failures, event.chance, capFor(fault)),
    proofs: 0,
    failures,
    lastFault: fault,
  }
}

function primaryReturns<S>(state: FallbackConnected<S>, event: Moment, policy: Policy): State<S> {
  if (state.recovery.step !== 'switching') return state
  return {
    name: 'PRIMARY_CONNECTED',
    since: event.at,
    lastId: state.lastId,
    stay: { returned: true, lastMs: state.stay.lastMs },
    store: state.recovery.primary,
    standby: policy.fallback ? { status: 'open', store: state.store } : { status: 'off' },
  }
}

function whileNothingServes<S>(state: ConnectionError<S>, event: Event<S>, policy: Policy): State<S> {
  const isDue = event.type === 'due' && event.id === state.retry.id
  if (isDue) return begin(state, event, policy, { first: false, failures: state.failures, standby: state.standby })
  if (event.type === 'store.lost' && state.standby.status === 'open' && state.standby.store === event.store) {
    return { ...state, standby: { status: 'off' } }
  }
  if (state.standby.status !== 'opening' || !('id' in event) || event.id !== state.standby.id) return state
  if (event.type === 'fallback.opened') return { ...state, standby: { status: 'open', store: event.store } }
  if (event.type === 'fallback.failed') return { ...state, standby: { status: 'off' } }
  return state
}
