import type { Demand, Durability, Shown, Store } from '../store/store.ts'

/** The durability of a write that this store has just committed. */
export function durabilityOf(store: Store, shown: Shown): Durability {
  const isEphemeral = store.facts.ephemeral || store.disk?.kind === 'ephemeral'
  if (shown === 'primary') return isEphemeral ? 'primary-ephemeral' : 'primary'
  // A fallback next to a primary accepts writes only where it journals them.
  if (shown === 'fallback') return isEphemeral ? 'journal-ephemeral' : 'journal'
  return isEphemeral ? 'local-ephemeral' : 'local'
}

/** The demands that each durability meets; one that is not named here meets none. */
const met: Readonly<Partial<Record<Durability, readonly Demand[]>>> = {
  primary: ['primary', 'journal', 'local'],
  journal: ['journal', 'local'],
  archived: ['archived', 'local'],
  local: ['local'],
}

/** Whether this durability meets the demand. */
export function meets(durability: Durability, demand: Demand): boolean {
  return met[durability]?.includes(demand) ?? false
}

/** The demands, strongest first: what meets one meets those behind it. */
export const demands: readonly Demand[] = ['primary', 'journal', 'archived', 'local']

/** The stronger of two demands; undefined: neither is made. */
export function strongest(one: Demand | undefined, other: Demand | undefined): Demand | undefined {
  return demands.find((demand) => demand === one || demand === other)
}
