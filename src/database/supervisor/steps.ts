import type { Store } from '../store/store.ts'

/** What the supervisor needs of the modules above it; `service` composes it. A step that failed may be called again. */
export interface StoreSteps {
  /** After a store opened and before it serves (tables, triggers). Throws when the store is not usable. */
  prepare(store: Store): Promise<void>
  /** True when a prepared store lacks something that may be added from outside: it is prepared again now and then. */
  lacks(store: Store): boolean
  /** True when the primary must not answer yet. */
  owes(fallback: Store): Promise<boolean>
  /**
   * Carries what waits; resolves when at most `tail` entries are left. Called again with 0 while writes are held. When
   * `signal` aborts, it undoes what it changed and settles soon: writes are held until then.
   */
  carry(from: Store, to: Store, tail: number, signal: AbortSignal): Promise<void>
}

/** Steps that do nothing: for a service without collections or without a journal. */
export const emptySteps: StoreSteps = {
  prepare: async () => {},
  lacks: () => false,
  owes: async () => false,
  carry: async () => {},
}
