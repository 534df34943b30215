import { HoldfastError } from '../../errors.ts'
import { type ConnectionError, type State, servingStore } from '../machine/state.ts'
import type { Shown, Store } from '../store/store.ts'

/** The store that answers, and how it is shown. */
export interface Serving {
  readonly store: Store
  readonly shown: Shown
}

/** What serves in this state. The same object while the same store serves in the same way: the hot path compares it. */
export function servingOf(state: State<Store>, known: Serving | null): Serving | null {
  const serving = servingStore(state)
  if (serving === null) return null
  return known !== null && known.store === serving.store && known.shown === serving.shown ? known : serving
}

/** Closed is final. */
export function isClosed(state: State<Store>): boolean {
  return state.name === 'DISCONNECTED' && state.reason === 'closed'
}

/** The answer while nothing can be reached: it says when the next try is made. */
export function unavailable(state: ConnectionError<Store>, nowMs: number): HoldfastError {
  const waitMs = Math.max(0, state.retry.at - nowMs)
  const cause = state.fault.cause ?? state.fault
  return new HoldfastError('STORE_UNAVAILABLE', { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)), cause })
}
