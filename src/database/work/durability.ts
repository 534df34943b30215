import type { Demand, Durability, Shown, Store } from '../store/store.ts'

/** The durability of a write that this store has just committed. */
export function durabilityOf(store: Store, shown: Shown): Durability {
  const isEphemeral = store.facts.ephemeral || store.disk?.kind === 'ephemeral'
  if (shown === 'primary') return isEphemeral ? 'primary-ephemeral' : 'primary'
  // The only place that decides this for a fallback next to a primary: nothing carries its writes there yet.
  if (shown === 'fallback') return 'fallback-only'
  return isEphemeral ? 'local-ephemeral' : 'local'
}

const journalOrBetter: ReadonlySet<Durability> = new Set<Durability>(['primary', 'journal', 'local'])

/** Whether this durability meets the demand: primary > journal = local > the rest. */
export function meets(durability: Durability, demand: Demand): boolean {
  return demand === 'primary' ? durability === 'primary' : journalOrBetter.has(durability)
}
