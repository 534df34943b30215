import type { Demand, Durability, Shown, Store } from '../store/store.ts'

/** How safe a write is that this store has just committed (DESIGN, the guarantee). */
export function durabilityOf(store: Store, shown: Shown): Durability {
  if (shown === 'primary') return 'primary'
  // The one place that says what a fallback's write is worth while a primary is declared: nothing carries it there yet.
  if (shown === 'fallback') return 'fallback-only'
  return store.facts.ephemeral || store.disk?.kind === 'ephemeral' ? 'local-ephemeral' : 'local'
}

const journalOrBetter: ReadonlySet<Durability> = new Set<Durability>(['primary', 'journal', 'local'])

/** Whether a write of this durability is what the caller demands: primary > journal = local > the rest. */
export function meets(durability: Durability, demand: Demand): boolean {
  return demand === 'primary' ? durability === 'primary' : journalOrBetter.has(durability)
}
