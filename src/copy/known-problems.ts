import type { Problem } from '../config/problem.ts'
import type { CopyObservation } from './observation.ts'

/** The problems of the copy at the moment; each is reported when it is found, and when it is gone. */
export class KnownProblems {
  readonly #observe: (seen: CopyObservation) => void
  readonly #known = new Map<string, Problem>()

  constructor(observe: (seen: CopyObservation) => void) {
    this.#observe = observe
  }

  get all(): readonly Problem[] {
    return [...this.#known.values()]
  }

  /** Whether there is one by this name. */
  has(name: string): boolean {
    return this.#known.has(name)
  }

  /** The problem by this name from now on; null: there is none. */
  set(name: string, problem: Problem | null): void {
    const before = this.#known.get(name)
    if (problem === null) {
      this.#known.delete(name)
      if (before !== undefined) this.#observe({ type: 'copy.problem.ended', problem: before })
      return
    }
    this.#known.set(name, problem)
    if (before?.message !== problem.message) this.#observe({ type: 'copy.problem', problem })
  }

  /** Only those are kept whose names `isKept` accepts. */
  keep(isKept: (name: string) => boolean): void {
    for (const name of [...this.#known.keys()]) if (!isKept(name)) this.set(name, null)
  }
}
