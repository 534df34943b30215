import type { Store } from '../store/store.ts'

/** What the supervisor needs of the rooms above it; `service.ts` composes it. Each step may be called again after it failed. */
export interface StoreSteps {
  /** After a store opened and before it serves (tables, triggers). Throws: the store is not usable. */
  prepare(store: Store): Promise<void>
  /** True when something is missing in a prepared store that somebody else may add: it is prepared again now and then. */
  lacks(store: Store): boolean
  /** True when the primary must not answer yet. */
  owes(fallback: Store): Promise<boolean>
  /**
   * Carries what waits; resolves when at most `tail` entries are left. Called again under the held gate with 0. When
   * `signal` aborts, it sets back what it changed and settles soon: writes are held until then.
   */
  carry(from: Store, to: Store, tail: number, signal: AbortSignal): Promise<void>
}

/** Nothing to prepare, nothing owed, nothing to carry: what a service without collections or without a journal has of them. */
export const emptySteps: StoreSteps = {
  prepare: async () => {},
  lacks: () => false,
  owes: async () => false,
  carry: async () => {},
}
