import { failedCarriesMax } from './policy.ts'
import { type ConnectingPrimary, type PrimaryConnected, type State, servingStore, type Tried } from './state.ts'

/** The host of an address that is tried after all others, and the one that is not tried at all; null: none is. */
export interface HostOrder {
  readonly last: string | null
  readonly avoid: string | null
}

/**
 * An operation that must be running while the state is what it is. The supervisor compares the effects of the old and the
 * new state by `id`, starts what is new and aborts what is gone, so no operation outlives the state that wanted it.
 */
export type Effect<S> =
  /** `failover`: another member of the cluster is looked for; null: an opening like any other. */
  | { readonly run: 'open-primary'; readonly id: number; readonly failover: HostOrder | null }
  | { readonly run: 'open-fallback'; readonly id: number; readonly until: number }
  /** A timer; its end is the event `timer.due`. */
  | { readonly run: 'wait'; readonly id: number; readonly until: number }
  /** It has failed at `until`. */
  | { readonly run: 'probe'; readonly id: number; readonly until: number; readonly hosts: HostOrder }
  /** Carries the journal next to a primary that serves, or is about to. */
  | { readonly run: 'drain'; readonly id: number; readonly from: S; readonly to: S }
  /** `primary`: still open from the previous round; null: open it first. `mayOwe`: nothing needs to be carried. */
  | {
      readonly run: 'carry'
      readonly id: number
      readonly from: S
      readonly primary: S | null
      readonly mayOwe: boolean
      readonly hosts: HostOrder
    }
  /**
   * Holds new writes, closes the fallback to changes, carries the rest unless it `mayOwe`, then reports `switched`. Only
   * after it has settled does the supervisor open the fallback again, if it still serves, and let writes in.
   */
  | { readonly run: 'switch'; readonly id: number; readonly from: S; readonly to: S; readonly mayOwe: boolean }

/** The effects of a state. Pure; their order has no meaning. */
export function effectsOf<S>(state: State<S>): readonly Effect<S>[] {
  const effects: Effect<S>[] = []
  if ('standby' in state) {
    const { standby } = state
    if (standby.status === 'opening') effects.push({ run: 'open-fallback', id: standby.id, until: standby.until })
    if (standby.status === 'failed') effects.push({ run: 'wait', id: standby.id, until: standby.retryAt })
  }
  switch (state.name) {
    case 'CONNECTING_PRIMARY': {
      const { step, deadline } = state
      effects.push({ run: 'wait', id: state.deadlineId, until: deadline })
      if (step.at === 'opening') effects.push({ run: 'open-primary', id: step.id, failover: failoverOf(state) })
      if (step.at === 'waiting') effects.push({ run: 'wait', id: step.id, until: step.until })
      if (step.at === 'opened') {
        effects.push({ run: 'wait', id: step.id, until: step.until }, ...carryingEffects(state, step.store))
      }
      break
    }
    case 'PRIMARY_CONNECTED':
      effects.push(...carryingEffects(state, state.store))
      break
    case 'CONNECTING_FALLBACK':
      // Already open: it serves at the next tick, by a timer like any other.
      if (state.standby.status === 'open') effects.push({ run: 'wait', id: state.lastId, until: state.since })
      break
    case 'CONNECTION_ERROR':
      effects.push({ run: 'wait', id: state.retry.id, until: state.retry.at })
      break
    case 'FALLBACK_CONNECTED':
      effects.push(...recoveryEffects(state))
      break
    default:
      break
  }
  return effects
}

function carryingEffects<S>(
  { carrying, standby }: ConnectingPrimary<S> | PrimaryConnected<S>,
  to: S,
): readonly Effect<S>[] {
  if (carrying.step === 'none' || standby.status !== 'open') return []
  const { id } = carrying
  if (carrying.step === 'waiting') return [{ run: 'wait', id, until: carrying.until }]
  return [{ run: 'drain', id, from: standby.store, to }]
}

function recoveryEffects<S>(state: State<S> & { name: 'FALLBACK_CONNECTED' }): readonly Effect<S>[] {
  const { recovery } = state
  const from = servingStore(state)?.store
  if (from === undefined) return []
  switch (recovery.step) {
    case 'none':
      return []
    case 'waiting':
    case 'pausing':
      return [{ run: 'wait', id: recovery.id, until: recovery.until }]
    case 'probing':
      return [{ run: 'probe', id: recovery.id, until: recovery.until, hosts: hostsOf(recovery) }]
    case 'replaying': {
      const { id, primary } = recovery
      return [{ run: 'carry', id, from, primary, mayOwe: mayOwe(recovery), hosts: hostsOf(recovery) }]
    }
    case 'switching':
      return [
        { run: 'switch', id: recovery.id, from, to: recovery.primary, mayOwe: mayOwe(recovery) },
        { run: 'wait', id: recovery.deadlineId, until: recovery.deadline },
      ]
  }
}

function failoverOf<S>({ failover }: ConnectingPrimary<S>): HostOrder | null {
  return failover === null ? null : { last: failover.loss.host, avoid: null }
}

function hostsOf({ lost, isAvoiding }: Tried): HostOrder {
  const host = lost?.host ?? null
  return isAvoiding ? { last: null, avoid: host } : { last: host, avoid: null }
}

/** Whether the primary is to serve although the journal cannot be carried. */
function mayOwe({ failedCarries }: Tried): boolean {
  return failedCarries >= failedCarriesMax
}
