import type { Fault } from '../driver/fault.ts'

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
  readonly stay: Stay
}

/** Damping: a primary that was lost soon after a return waits longer for the next one. */
export interface Stay {
  /** True when PRIMARY_CONNECTED was reached from the fallback, so that leaving it soon counts as flapping. */
  readonly returned: boolean
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
  /** True until any store has served: an eager replica is not ready yet. */
  readonly first: boolean
  /** 1 for the first. */
  readonly attempt: number
  readonly step:
    | { readonly at: 'opening'; readonly id: number }
    | { readonly at: 'waiting'; readonly id: number; readonly until: number }
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
  readonly standby: Standby<S>
}

/** The fallback serves, or the local store when no primary is declared. */
export interface FallbackConnected<S> extends Common {
  readonly name: 'FALLBACK_CONNECTED'
  readonly store: S
  readonly declared: boolean
  readonly cause: Fault | null
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
}

/** A store that is open. */
export interface Opened<S> {
  readonly status: 'open'
  readonly store: S
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
      readonly failures: number
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
  | { readonly step: 'probing'; readonly id: number; readonly proofs: number; readonly failures: number }
  /** The primary is opened and the journal carried to a short tail. */
  | { readonly step: 'replaying'; readonly id: number; readonly failures: number; readonly rounds: number }
  /** New writes are held; the rest is carried. Left again at `deadline`. */
  | {
      readonly step: 'switching'
      readonly id: number
      readonly deadlineId: number
      readonly deadline: number
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
  return { name: 'DISCONNECTED', since: now, lastId: 0, stay: { returned: false, lastMs: 0 }, reason: 'not-asked' }
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

/** Every store that the state holds; one that is in no later state is to be closed. */
export function heldStores<S>(state: State<S>): readonly S[] {
  const held: S[] = []
  if ('store' in state) held.push(state.store)
  if ('standby' in state && state.standby.status === 'open') held.push(state.standby.store)
  if (state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'switching') held.push(state.recovery.primary)
  return held
}

/** The row of the health table that the state stands in. */
export function healthRow<S>(state: State<S>): HealthRow {
  switch (state.name) {
    case 'DISCONNECTED':
      return 'not-asked'
    case 'CONNECTING_PRIMARY':
      if (state.first) return 'connecting-first'
      return state.standby.status === 'off' ? 'connecting-later-alone' : 'connecting-later'
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
