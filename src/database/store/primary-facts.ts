import type { Target } from '../../driver/address.ts'
import type { Facts } from '../../driver/driver.ts'
import type { StoreOpener } from './engine-factory.ts'

/** The latest that was found about the primary, by whatever verified it: an opening, a probe, a doubt. */
export class PrimaryFacts {
  #known: { readonly targetId: string; readonly facts: Facts } | null = null

  /** What is known of this target; null when it was never reached in this process. */
  of(target: Target | undefined): Facts | null {
    return this.#known !== null && this.#known.targetId === target?.id ? this.#known.facts : null
  }

  /** The same opener; what it finds about a primary is noted, then `noted` is called. */
  watching(opener: StoreOpener, noted: () => void): StoreOpener {
    const note = (target: Target, facts: Facts): void => {
      this.#known = { targetId: target.id, facts }
      noted()
    }
    return {
      open: async (resolved, role, signal, choice) => {
        const store = await opener.open(resolved, role, signal, choice)
        if (role === 'primary') note(resolved.target, store.facts)
        return store
      },
      prove: async (resolved, want, signal, choice) => {
        const facts = await opener.prove(resolved, want, signal, choice)
        if (want.role === 'primary') note(resolved.target, facts)
        return facts
      },
    }
  }
}
