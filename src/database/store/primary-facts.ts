import type { Target } from '../../driver/address.ts'
import type { Facts } from '../../driver/driver.ts'
import { FaultError } from '../../driver/fault.ts'
import type { HostChoice, StoreOpener } from './engine-factory.ts'
import { primarySplitCode } from './standings.ts'

/** The latest that was found about the primary, by whatever verified it: an opening, a probe, a doubt. */
export class PrimaryFacts {
  #known: { readonly targetId: string; readonly facts: Facts } | null = null
  /** The id of the target. */
  #split: string | null = null

  /** What is known of this target; null when it was never reached in this process. */
  of(target: Target | undefined): Facts | null {
    return this.#known !== null && this.#known.targetId === target?.id ? this.#known.facts : null
  }

  /** Whether two servers of this target accept writes at the same time, as far as is known. */
  isSplit(target: Target | undefined): boolean {
    return target !== undefined && this.#split === target.id
  }

  /** Must be called when two servers of this target were seen to accept writes. Ends with the next proof of one alone. */
  split(target: Target): void {
    this.#split = target.id
  }

  /** The same opener; what it finds about a primary is noted, then `noted` is called. */
  watching(opener: StoreOpener, noted: () => void): StoreOpener {
    const note = (target: Target, facts: Facts, isOne: boolean): void => {
      this.#known = { targetId: target.id, facts }
      if (isOne) this.#split = null
      noted()
    }
    const failed = (target: Target, error: unknown): never => {
      if (error instanceof FaultError && error.fault.code === primarySplitCode) {
        this.split(target)
        noted()
      }
      throw error
    }
    // One that is slow to answer must not pass for one that has gone.
    const ofAll = (target: Target, choice: HostChoice = {}): HostChoice =>
      this.isSplit(target) ? { ...choice, isSplit: true } : choice
    return {
      open: async (resolved, role, signal, choice) => {
        const { target } = resolved
        const store = await opener
          .open(resolved, role, signal, ofAll(target, choice))
          .catch((error) => failed(target, error))
        if (role === 'primary') note(target, store.facts, choice?.only === undefined)
        return store
      },
      prove: async (resolved, want, signal, choice) => {
        const { target } = resolved
        const facts = await opener
          .prove(resolved, want, signal, ofAll(target, choice))
          .catch((error) => failed(target, error))
        if (want.role === 'primary') note(target, facts, choice?.only === undefined)
        return facts
      },
    }
  }
}
