import type { Fault } from '../../driver/kit/fault.ts'

/**
 * Everything that may happen to the connection. `at` is the supervisor's clock; `chance` in [0, 1) is the jitter, drawn
 * outside so that `transition` stays pure. `id` names the operation that answers; a late answer is dropped by it.
 */
export type Event<S> = Moment & Happening<S>

/** When it happened, and the luck of the draw. */
export interface Moment {
  readonly at: number
  readonly chance: number
}

/** What happened. */
export type Happening<S> =
  /** A request, or the boot policy, needs a store. */
  | { readonly type: 'requested' }
  /** A timer that the state named has run out. */
  | { readonly type: 'timer.due'; readonly id: number }
  /** Open, ours, writable, prepared. */
  | { readonly type: 'primary.opened'; readonly id: number; readonly store: S }
  | { readonly type: 'primary.failed'; readonly id: number; readonly fault: Fault }
  /** `owes`: its journal is not empty, so the primary must not answer yet. */
  | { readonly type: 'fallback.opened'; readonly id: number; readonly store: S; readonly owes: boolean }
  | { readonly type: 'fallback.failed'; readonly id: number; readonly fault: Fault }
  /** A store that is held was found dead: by a probe (primary) or by its own fault (fallback). */
  | { readonly type: 'store.lost'; readonly store: S; readonly fault: Fault }
  /** The prober's committed write succeeded, or did not. */
  | { readonly type: 'probe.passed'; readonly id: number }
  | { readonly type: 'probe.failed'; readonly id: number; readonly fault: Fault }
  /** The primary is open and the journal carried to a short tail. */
  | { readonly type: 'carried'; readonly id: number; readonly primary: S }
  | { readonly type: 'carry.failed'; readonly id: number; readonly fault: Fault }
  /** Nothing is left to carry and new writes are held: the primary may serve. */
  | { readonly type: 'switched'; readonly id: number }
  | { readonly type: 'switch.failed'; readonly id: number; readonly fault: Fault }
  | { readonly type: 'closed' }
  /** The settings of the connection changed: everything is opened anew. */
  | { readonly type: 'reconfigured' }

/** The words of `Event.type`. */
export type EventType = Happening<unknown>['type']
