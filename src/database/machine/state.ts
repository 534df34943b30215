import type { Fault } from '../../driver/fault.ts'
import type { Happening } from './event.ts'

/**
 * The state of the connection, as one value. Each case carries only its own data; there are no flags next to it.
 *
 * `S` is an opened store. The machine never looks into stores, so that its tests use plain strings. Times (`since`,
 * `until`, `deadline`, ...) are milliseconds of the supervisor's monotonic clock. Each `id` names an operation; the answer
 * of one that the state no longer names is late, and is dropped.
 */
export type State<S> =
  | Disconnected
  | ConnectingPrimary<S>
  | ConnectingFallback<S>
  | PrimaryConnected<S>
  | FallbackConnected<S>
  | ConnectionError<S>

/** The names of the six states. */
export type StateName = State<unknown>['name']

/** What all states have in common. */
export interface Common {
  /** When this state was entered; unchanged while only its data changes. */
  readonly since: number
  /** The last operation id in use; only grows. */
  readonly lastId: number
  readonly damping: FlapDamping
  /** True once a store has served in this process: an eager replica is not ready before. */
  readonly hasServed: boolean
}

/** Flap damping: a primary that is lost soon after a return waits longer for the next one. */
export interface FlapDamping {
  /** When the primary took over from the fallback, so that losing it soon counts as flapping; null when it did not. */
  readonly returnedAt: number | null
  /** The last damped stay on the fallback; 0 when there is none, or it is forgotten. */
  readonly lastMs: number
  /** The host that it was for; null: not known. Another host starts at 0. */
  readonly host: string | null
}

/** What the loss of a primary means for the way to the next one. */
export interface Loss {
  /** How long at least it is left alone; 0 unless it is flapping. */
  readonly stayMs: number
  /** Its host, where the address has others: the stay is for this one alone. Null: for the whole address. */
  readonly host: string | null
  /** Another member of its cluster may take over at any moment. */
  readonly hasOthers: boolean
}

/** The search for another member of the cluster after the primary was lost; requests wait meanwhile. */
export interface Failover {
  /** Why the primary was lost. */
  readonly cause: Fault
  readonly loss: Loss
}

/** Nothing is open. */
export interface Disconnected extends Common {
  readonly name: 'DISCONNECTED'
  readonly reason: 'not-asked' | 'closed' | 'settings-changed'
}

/** The primary is being opened, and the fallback next to it. */
export interface ConnectingPrimary<S> extends Common {
  readonly name: 'CONNECTING_PRIMARY'
  /** 1 for the first. */
  readonly attempt: number
  readonly step:
    | { readonly at: 'opening'; readonly id: number }
    | { readonly at: 'waiting'; readonly id: number; readonly until: number }
    /** Open, but the fallback's journal is not yet known to be empty. Serves at `until` all the same. */
    | { readonly at: 'opened'; readonly id: number; readonly store: S; readonly until: number }
  /** When the fallback serves if the primary does not. */
  readonly deadline: number
  /** Names the deadline's timer. */
  readonly deadlineId: number
  readonly lastFault: Fault | null
  /** Failures in a row that led through CONNECTION_ERROR, for its backoff. */
  readonly failures: number
  /** Null: the fallback served before, or nothing. */
  readonly failover: Failover | null
  readonly standby: Standby<S>
  readonly carrying: Carrying
}

/** The fallback, or the local store, is being opened. */
export interface ConnectingFallback<S> extends Common {
  readonly name: 'CONNECTING_FALLBACK'
  /** False: no primary is declared, the store will be the local one. */
  readonly declared: boolean
  /** Health still shows the row of the state before. */
  readonly before: HealthRow
  /** Why the primary is not used; null when none is declared. */
  readonly cause: Fault | null
  readonly failures: number
  readonly loss: Loss
  readonly standby: Opening | Opened<S>
}

/** The primary serves. */
export interface PrimaryConnected<S> extends Common {
  readonly name: 'PRIMARY_CONNECTED'
  readonly store: S
  /** Failures in a row before it served; forgotten once it has lived for a second. */
  readonly failures: number
  readonly standby: Standby<S>
  readonly carrying: Carrying
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

/** No store serves; connecting is retried. */
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
  /** When it counts as failed without an answer. */
  readonly until: number
}

/** A store that is open. */
export interface Opened<S> {
  readonly status: 'open'
  readonly store: S
}

/** The fallback next to a primary. */
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

/** How the journal of an open fallback is carried to an open primary next to it. */
export type Carrying =
  | { readonly step: 'none' }
  | { readonly step: 'running'; readonly id: number; readonly failures: number }
  | {
      readonly step: 'waiting'
      readonly id: number
      readonly until: number
      readonly failures: number
      readonly lastFault: Fault
    }

/** What the steps of the way back have in common. */
export interface Tried {
  /** Probes, carries and switches that failed in a row. */
  readonly failures: number
  /** Carries and switches that failed in a row while every probe passed. */
  readonly failedCarries: number
  /** The host that was lost, where the address has others: it is tried last, or not at all before `avoidedUntil`. */
  readonly lost: { readonly host: string; readonly avoidedUntil: number } | null
  /** Whether it is not tried by this proof, and what follows from it. */
  readonly isAvoiding: boolean
  /** Another member of the cluster may take over at any moment: it is asked for more often at first. */
  readonly hasOthers: boolean
}

/** The way back to the primary. */
export type Recovery<S> =
  | { readonly step: 'none' }
  /** Waits for the next probe. `proofs`: committed writes in a row so far. */
  | (Tried & {
      readonly step: 'waiting'
      readonly id: number
      readonly until: number
      readonly proofs: number
      readonly lastFault: Fault | null
    })
  | (Tried & { readonly step: 'probing'; readonly id: number; readonly until: number; readonly proofs: number })
  /** The primary is opened, unless still open from the last round, and the journal is carried to a short tail. */
  | (Tried & {
      readonly step: 'replaying'
      readonly id: number
      /** Holds that were too short. */
      readonly rounds: number
      readonly primary: S | null
    })
  /** New writes are held, the fallback is closed to changes, and the rest is carried. Given up at `deadline`. */
  | (Tried & {
      readonly step: 'switching'
      readonly id: number
      readonly deadlineId: number
      readonly deadline: number
      readonly rounds: number
      readonly primary: S
    })
  /** The hold was too short: writes are let in for as long, before the next. */
  | (Tried & {
      readonly step: 'pausing'
      readonly id: number
      readonly until: number
      readonly rounds: number
      readonly primary: S
    })

/** The rows of the health table. */
export type HealthRow =
  | 'not-asked'
  | 'connecting-first'
  | 'connecting-later'
  | 'connecting-later-alone'
  | 'failover'
  | 'primary'
  | 'local'
  | 'fallback'
  | 'error'

/** No primary was ever lost soon after a return. */
export const undamped: FlapDamping = { returnedAt: null, lastMs: 0, host: null }

/** There was no primary to lose. */
export const noLoss: Loss = { stayMs: 0, host: null, hasOthers: false }

/** The state in which a service starts. */
export function initialState(now: number): Disconnected {
  return {
    name: 'DISCONNECTED',
    since: now,
    lastId: 0,
    damping: undamped,
    hasServed: false,
    reason: 'not-asked',
  }
}

/** The store that serves in this state, and how it is shown; null when none does. */
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
 * the state does not hold now. A store that opened too late is among them.
 */
export function releasedStores<S>(before: State<S>, event: Happening<S>, after: State<S>): readonly S[] {
  const known = new Set(heldStores(before))
  if (event.type === 'primary.opened' || event.type === 'fallback.opened') known.add(event.store)
  if (event.type === 'carried') known.add(event.primary)
  for (const store of heldStores(after)) known.delete(store)
  return [...known]
}

/** The row of the health table for this state. */
export function healthRow<S>(state: State<S>): HealthRow {
  switch (state.name) {
    case 'DISCONNECTED':
      return 'not-asked'
    case 'CONNECTING_PRIMARY':
      if (state.failover !== null) return 'failover'
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
