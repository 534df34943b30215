import { type State, servingStore } from './state.ts'

/**
 * An operation that must be running while the state is what it is. The supervisor compares the effects of the old and the
 * new state by `id`, starts what is new and aborts what is gone, so no operation outlives the state that wanted it.
 */
export type Effect<S> =
  | { readonly run: 'open-primary'; readonly id: number }
  | { readonly run: 'open-fallback'; readonly id: number; readonly until: number }
  /** A timer; its end is the event `timer.due`. */
  | { readonly run: 'wait'; readonly id: number; readonly until: number }
  /** It has failed at `until`. */
  | { readonly run: 'probe'; readonly id: number; readonly until: number }
  /** `primary`: still open from the previous round; null: open it first. */
  | { readonly run: 'carry'; readonly id: number; readonly from: S; readonly primary: S | null }
  /**
   * Holds new writes, carries the rest, then reports `switched`. When it fails or is aborted it undoes its changes before
   * it settles; only then does the supervisor let writes in and start what comes next.
   */
  | { readonly run: 'switch'; readonly id: number; readonly from: S; readonly to: S }

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
      if (step.at === 'opening') effects.push({ run: 'open-primary', id: step.id })
      if (step.at === 'waiting') effects.push({ run: 'wait', id: step.id, until: step.until })
      break
    }
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

function recoveryEffects<S>(state: State<S> & { name: 'FALLBACK_CONNECTED' }): readonly Effect<S>[] {
  const { recovery } = state
  const from = servingStore(state)?.store
  if (from === undefined) return []
  switch (recovery.step) {
    case 'none':
      return []
    case 'waiting':
    case 'resting':
      return [{ run: 'wait', id: recovery.id, until: recovery.until }]
    case 'probing':
      return [{ run: 'probe', id: recovery.id, until: recovery.until }]
    case 'replaying':
      return [{ run: 'carry', id: recovery.id, from, primary: recovery.primary }]
    case 'switching':
      return [
        { run: 'switch', id: recovery.id, from, to: recovery.primary },
        { run: 'wait', id: recovery.deadlineId, until: recovery.deadline },
      ]
  }
}
