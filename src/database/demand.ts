import { type State, servingStore } from './state.ts'

/**
 * What must be running while the state is what it is. The supervisor compares the demands of the old state with those of
 * the new one by `id`: what is new is started, what is gone is aborted. So no operation outlives the state that wanted it.
 */
export type Demand<S> =
  | { readonly run: 'open-primary'; readonly id: number; readonly deadline: number }
  | { readonly run: 'open-fallback'; readonly id: number }
  /** A timer; its end is the event `due`. */
  | { readonly run: 'wait'; readonly id: number; readonly until: number }
  | { readonly run: 'probe'; readonly id: number }
  | { readonly run: 'carry'; readonly id: number; readonly from: S }
  /** Hold new writes, carry the rest, then `switched`. */
  | { readonly run: 'switch'; readonly id: number; readonly from: S; readonly to: S }

/** The demands of a state. Pure; the order is of no meaning. */
export function demandsOf<S>(state: State<S>): readonly Demand<S>[] {
  const demands: Demand<S>[] = []
  if ('standby' in state) {
    const { standby } = state
    if (standby.status === 'opening') demands.push({ run: 'open-fallback', id: standby.id })
    if (standby.status === 'failed') demands.push({ run: 'wait', id: standby.id, until: standby.retryAt })
  }
  switch (state.name) {
    case 'CONNECTING_PRIMARY': {
      const { step } = state
      demands.push({ run: 'wait', id: state.deadlineId, until: state.deadline })
      if (step.at === 'opening') demands.push({ run: 'open-primary', id: step.id, deadline: state.deadline })
      else demands.push({ run: 'wait', id: step.id, until: step.until })
      break
    }
    case 'CONNECTING_FALLBACK':
      // Already open: it serves with the next tick, through the same door as any other timer.
      if (state.standby.status === 'open') demands.push({ run: 'wait', id: state.lastId, until: state.since })
      break
    case 'CONNECTION_ERROR':
      demands.push({ run: 'wait', id: state.retry.id, until: state.retry.at })
      break
    case 'FALLBACK_CONNECTED':
      demands.push(...recoveryDemands(state))
      break
    default:
      break
  }
  return demands
}

function recoveryDemands<S>(state: State<S> & { name: 'FALLBACK_CONNECTED' }): readonly Demand<S>[] {
  const { recovery } = state
  const from = servingStore(state)?.store
  if (from === undefined) return []
  switch (recovery.step) {
    case 'none':
      return []
    case 'waiting':
      return [{ run: 'wait', id: recovery.id, until: recovery.until }]
    case 'probing':
      return [{ run: 'probe', id: recovery.id }]
    case 'replaying':
      return [{ run: 'carry', id: recovery.id, from }]
    case 'switching':
      return [
        { run: 'switch', id: recovery.id, from, to: recovery.primary },
        { run: 'wait', id: recovery.deadlineId, until: recovery.deadline },
      ]
  }
}
