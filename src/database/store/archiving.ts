import type { Demand, Shown, Store } from './store.ts'

/** What work asks of the archive behind a store; `service` composes it. All but `confirmed` is from memory. */
export interface Archiving {
  /** While the rows are being restored, or may not be served without a restore: the error for every request; else null. */
  refusal(): Error | null
  /**
   * How far the archive is behind this store, in seconds; `Infinity`: not known, or the archive has no whole copy yet; null:
   * nothing archives it.
   */
  lagS(store: Store, shown: Shown): number | null
  /** Whether the archive can make what this store commits meet the demand. */
  canMeet(store: Store, shown: Shown, demand: Demand): boolean
  /** Whether it cannot do so yet: it has no whole copy of this store, and is getting one. */
  isPreparing(store: Store): boolean
  /**
   * Resolves when everything that this store has committed before this call is in the archive. Rejects with HoldfastError
   * ARCHIVE_UNCONFIRMED: it is committed, and may or may not be in the archive.
   */
  confirmed(store: Store, shown: Shown, signal?: AbortSignal): Promise<void>
}

/** Without an archive. */
export const noArchiving: Archiving = {
  refusal: () => null,
  lagS: () => null,
  canMeet: () => false,
  isPreparing: () => false,
  confirmed: async () => {},
}
