import type { Standing } from '../../driver/facet/standing.ts'
import { FaultError } from '../../driver/fault.ts'
import type { State } from '../machine/state.ts'
import type { Store } from '../store/store.ts'

/** The fault of a journal while it is carried: it says nothing against the primary. */
export class JournalFault extends FaultError {}

/**
 * What the supervisor needs of the modules above it; `service` composes it. A step that failed may be called again. Those
 * that take a signal settle soon after it aborts, rejected, and change nothing from then on. Errors are what the driver
 * of the failing store classifies, or a FaultError.
 */
export interface StoreSteps {
  /**
   * Before the fallback or local store is opened: its rows are restored where its file is missing. May take hours; the limit
   * of opening counts from then on. Rejects where opening has to wait for the next try.
   */
  restore(signal: AbortSignal): Promise<void>
  /** After a store opened and before it serves (tables, triggers). Throws when the store is not usable. */
  prepare(store: Store): Promise<void>
  /** True when a prepared store lacks something that may be added from outside: it is prepared again now and then. */
  lacks(store: Store): boolean
  /** How many entries wait in the fallback's journal for its primary, from memory. */
  owed(fallback: Store): number
  /**
   * Both stores are open: addresses the journal to this primary, carries everything that waits when it is called, then
   * what came meanwhile until at most `tail` entries wait. Never runs twice at once. Resolves at once where there is
   * nothing to carry or no journal. Rejects where the journal cannot be carried at the moment, with a `JournalFault` where
   * that is its own fault.
   */
  carry(from: Store, to: Store, tail: number, signal: AbortSignal): Promise<void>
  /** Whether the fallback accepts changes: at once. A fallback accepts none before the first call. Repeatable. */
  serve(fallback: Store, isServing: boolean): void
  /** Waits for the writer of the fallback, then refuses changes: whatever has committed before is in the journal. */
  rest(fallback: Store, signal: AbortSignal): Promise<void>
  /** What the primary that serves says of itself, at a look. Returns at once. Never throws. */
  stood(primary: Store, standing: Standing): void
  /** After the journal was drained, while the primary serves: carried rows leave the fallback. */
  returned(fallback: Store): Promise<void>
  /**
   * A store is about to close: ends what is done with it besides work, such as its archiving, within the limit. `drained`:
   * the work on it has ended, or the limit is reached. Never rejects.
   */
  leave(store: Store, drained: Promise<void>, withinMs: number): Promise<void>
  /** After each change of the state, before anything is done on it or read from a store that serves now. Never throws. */
  changed(state: State<Store>): void
}

/** Steps that do nothing: for a service without collections or without a journal. */
export const emptySteps: StoreSteps = {
  restore: async () => {},
  prepare: async () => {},
  lacks: () => false,
  owed: () => 0,
  carry: async () => {},
  serve: () => {},
  rest: async () => {},
  stood: () => {},
  returned: async () => {},
  leave: async () => {},
  changed: () => {},
}
