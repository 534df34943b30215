import type { Fault } from '../../driver/kit/fault.ts'
import type { Happening } from './event.ts'

/**
 * The life of the connection, as one value. Each case carries only its own data; there is no flag beside it.
 *
 * `S` is an opened store; the state holds stores but never looks into them, so the machine is tested with plain words.
 * Times (`since`, `until`, `deadline`, ...) are milliseconds of the supervisor's monotonic clock. `id`s name
 * operations: the answer of an operation that the state no longer names is late, and is dropped.
 */
export type State<S> =
  | Disconnected
  | ConnectingPrimary<S>
  | ConnectingFallback<S>
  | PrimaryConnected<S>
  | FallbackConnected<S>
  | ConnectionError<S>

/** The six words. */
export type StateName = State<unknown>['name']

/** What every state carries. */
export interface Common {
  /** When this state was entered; kept while only its data change. */
  readonly since: number
  /** The last operation id that was given out; only grows. */
  readonly lastId: number
  /** How long the primary's last stays were. */
  readonly damping: FlapDamping
  /** True once any store has served in this process: an eager replica is not ready before. */
  readonly hasServed: boolean
}

/** Damping: a primary that was lost soon after a return waits longer for the next one. */
export interface FlapDamping {
  /** When the primary took over from the fallback, so that leaving it soon counts as flapping; null when it did not. */
  readonly returnedAt: number | null
  /** What the last damped stay on the fallback was, 0 when none is remembered. */
  readonly lastMs: number
}

/** Nothing is open. */
export interface Disconnected extends Common {
  readonly name: 'DISCONNECTED'
  readonly reason: 'not-asked' | 'closed' | 'settings-changed'
}

/** The primary is being opened, beside the fallback. */
export interface ConnectingPrimary<S> extends Common {
  readonly name: 'CONNECTING_PRIMARY'
  /** 1 for the first. */
  readonly attempt: number
  readonly step:
    | { readonly at: 'opening'; readonly id: number }
    | { readonly at: 'waiting'; readonly id: number; readonly until: number }
    /** Open, and waiting for the fallback to say whether its journal is empty. */
    | { readonly at: 'opened'; readonly id: number; readonly store: S }
  /** Until when the primary is tried before the fallback serves. */
  readonly deadline: number
  /** Names the deadline's timer. */
  readonly deadlineId: number
  readonly lastFault: Fault | null
  /** Failures in a row that led through CONNECTION_ERROR, for its backoff. */
  readonly failures: number
  readonly standby: Standby<S>
}

/** The fallback, or the local store, is being opened. */
export interface ConnectingFallback<S> extends Common {
  readonly name: 'CONNECTING_FALLBACK'
  /** False: no primary is declared, the store will be the local one. */
  readonly declared: boolean
  /** Health answers what it answered before this state. */
  readonly before: HealthRow
  /** Why the primary is not used; null when none is declared or it only waits for the journal. */
  readonly cause: Fault | null
  /** True when the primary is fine and waits for the journal to be carried. */
  readonly owes: boolean
  readonly failures: number
  readonly stayMs: number
  readonly standby: Opening | Opened<S>
}

/** The primary serves. */
export interface PrimaryConnected<S> extends Common {
  readonly name: 'PRIMARY_CONNECTED'
  readonly store: S
  /** Failures in a row before it served; forgotten once it has lived for a second. */
  readonly failures: number
  readonly standby: Standby<S>
}

/** The fallback serves, or the local store when no primary is declared. */
export interface FallbackConnected<S> extends Common {
  readonly name: 'FALLBACK_CONNECTED'
  readonly store: S
  readonly declared: boolean
  readonly cause: Fault | null
  /** Failures in a row before it served; forgotten once it has lived for a second. */
  readonly failures: number
  readonly recovery: Recovery<S>
}

/** Nothing serves; it is tried again. */
export interface ConnectionError<S> extends Common {
  readonly name: 'CONNECTION_ERROR'
  readonly declared: boolean
  readonly fault: Fault
  readonly failures: number
  readonly retry: { readonly id: number; readonly at: number }
  readonly standby: Standby<S>
}

/** A store that is being opened. */
export interface Opening {
  readonly status: 'opening'
  readonly id: number
  /** When it has failed if nothing was heard. */
  readonly until: number
}

/** A store that is open. */
export interface Opened<S> {
  readonly status: 'open'
  readonly store: S
  /** Its journal is not empty: the primary must not answer yet. */
  readonly owes: boolean
}

/** The fallback beside a declared primary. */
export type Standby<S> =
  | { readonly status: 'off' }
  | Opening
  | Opened<S>
  | {
      readonly status: 'failed'
      readonly id: number
      readonly fault: Fault
      readonly retryAt: number
    }

/** The way back to the primary. */
export type Recovery<S> =
  | { readonly step: 'none' }
  /** Until the next probe. `proofs`: committed writes in a row so far. */
  | {
      readonly step: 'waiting'
      readonly id: number
      readonly until: number
      readonly proofs: number
      readonly failures: number
      readonly lastFault: Fault | null
    }
  | {
      readonly step: 'probing'
      readonly id: number
      readonly until: number
      readonly proofs: number
      readonly failures: number
    }
  /** The primary is opened, unless it is still open from the last round, and the journal carried to a short tail. */
  | {
      readonly step: 'replaying'
      readonly id: number
      readonly failures: number
      readonly rounds: number
      readonly primary: S | null
    }
  /** New writes are held; the rest is carried. Left again at `deadline`. */
  | {
      readonly step: 'switching'
      readonly id: number
      readonly deadlineId: number
      readonly deadline: number
      readonly failures: number
      readonly rounds: number
      readonly primary: S
    }
  /** The switch did not end in time: writes are let in for a while, longer each round, before the next. */
  | {
      readonly step: 'resting'
      readonly id: number
      readonly until: number
      readonly failures: number
      readonly rounds: number
      readonly primary: S
    }

/** The rows of the health table (DESIGN). */
export type HealthRow =
  | 'not-asked'
  | 'connecting-first'
  | 'connecting-later'
  | 'connecting-later-alone'
  | 'primary'
  | 'local'
  | 'fallback'
  | 'error'

/** Where a service begins. */
export function initialState(now: number): Disconnected {
  return {
    name: 'DISCONNECTED',
    since: now,
    lastId: 0,
    damping: { returnedAt: null, lastMs: 0 },
    hasServed: false,
    reason: 'not-asked',
  }
}

/** The store that answers in this state, with how it is shown; null when none does. */
export function servingStore<S>(
  state: State<S>,
): { readonly store: S; readonly shown: 'primary' | 'fallback' | 'local' } | null {
  switch (state.name) {
    case 'PRIMARY_CONNECTED':
      return { store: state.store, shown: 'primary' }
    case 'FALLBACK_CONNECTED':
      return { store: state.store, shown: state.declared ? 'fallback' : 'local' }
    default:
      return null
  }
}

/** Closed is final. */
export function isClosed<S>(state: State<S>): boolean {
  return state.name === 'DISCONNECTED' && state.reason === 'closed'
}

/** Every store that the state holds. */
export function heldStores<S>(state: State<S>): readonly S[] {
  const held: S[] = []
  if ('store' in state) held.push(state.store)
  if ('standby' in state && state.standby.status === 'open') held.push(state.standby.store)
  if (state.name === 'CONNECTING_PRIMARY' && state.step.at === 'opened') held.push(state.step.store)
  if (state.name === 'FALLBACK_CONNECTED') {
    const { recovery } = state
    if ('primary' in recovery && recovery.primary !== null) held.push(recovery.primary)
  }
  return held
}

/**
 * The stores to close after `event` led from `before` to `after`: those that the state held or the event brought, and
 * that it does not hold now. A store whose opening came too late is among them.
 */
export function releasedStores<S>(before: State<S>, event: Happening<S>, after: State<S>): readonly S[] {
  const known = new Set(heldStores(before))
  if (event.type === 'primary.opened' || event.type === 'fallback.opened') known.add(event.store)
  if (event.type === 'carried') known.add(event.primary)
  for (const store of heldStores(after)) known.delete(store)
  return [...known]
}

/** The row of the health table that the state stands in. */
export function healthRow<S>(state: State<S>): HealthRow {
  switch (state.name) {
    case 'DISCONNECTED':
      return 'not-asked'
    case 'CONNECTING_PRIMARY':
      if (state.standby.status === 'off' && (state.hasServed || state.failures > 0)) return 'connecting-later-alone'
      return state.hasServed ? 'connecting-later' : 'connecting-first'
    case 'CONNECTING_FALLBACK':
      return state.before
    case 'PRIMARY_CONNECTED':
      return 'primary'
    case 'FALLBACK_CONNECTED':
      return state.declared ? 'fallback' : 'local'
    case 'CONNECTION_ERROR':
      return 'error'
  }
}
