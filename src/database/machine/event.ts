import type { Fault } from '../../driver/fault.ts'

/**
 * An event of the connection. `at` is the supervisor's clock; `chance` in [0, 1) is the jitter, drawn outside so that
 * `transition` stays pure. `id` names the operation that answers, so that a late answer is dropped.
 */
export type Event<S> = Moment & Happening<S>

/** When an event happened, and its jitter. */
export interface Moment {
  readonly at: number
  readonly chance: number
}

/** What happened, without the moment. */
export type Happening<S> =
  /** A request, or the boot policy, needs a store. */
  | { readonly type: 'requested' }
  /** A timer that the state named ended. */
  | { readonly type: 'timer.due'; readonly id: number }
  /** Open, ours, writable, prepared. */
  | { readonly type: 'primary.opened'; readonly id: number; readonly store: S }
  | { readonly type: 'primary.failed'; readonly id: number; readonly fault: Fault }
  | { readonly type: 'fallback.opened'; readonly id: number; readonly store: S }
  | { readonly type: 'fallback.failed'; readonly id: number; readonly fault: Fault }
  /** A store of the state is lost: its liveness check failed. */
  | {
      readonly type: 'store.lost'
      readonly store: S
      readonly fault: Fault
      /** Of a primary: the label of the host that served. Absent: not known, or the address has no other. */
      readonly host?: string
      /** Of a primary: how long another host may be looked for before the fallback serves; absent or 0: not at all. */
      readonly failoverMs?: number
    }
  /** The probe committed a write, or did not. */
  | { readonly type: 'probe.passed'; readonly id: number }
  | { readonly type: 'probe.failed'; readonly id: number; readonly fault: Fault }
  /** The primary is open, and the journal is carried to a short tail. */
  | { readonly type: 'carried'; readonly id: number; readonly primary: S }
  | { readonly type: 'carry.failed'; readonly id: number; readonly fault: Fault }
  /** The fallback accepts no more changes, and new writes are held: the primary may serve. */
  | { readonly type: 'switched'; readonly id: number }
  | { readonly type: 'switch.failed'; readonly id: number; readonly fault: Fault }
  /** The journal of the fallback next to the primary is empty, or could not be emptied. */
  | { readonly type: 'journal.drained'; readonly id: number }
  | { readonly type: 'drain.failed'; readonly id: number; readonly fault: Fault }
  /** What kept the journal from being carried may be gone. */
  | { readonly type: 'carry.wanted' }
  | { readonly type: 'closed' }
  /** The settings of the connection changed: every store is opened again. */
  | { readonly type: 'reconfigured' }

/** The reason of a transition, as the log, the metrics and `/status` show it. */
export type EventType = Happening<unknown>['type']
