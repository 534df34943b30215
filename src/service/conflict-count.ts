import type { Conflicts } from '../journal/conflict/conflicts.ts'
import type { Observation } from '../observe/observation.ts'

/** The shortest time between two counts. */
const recountMs = 5_000

/**
 * How many conflicts are open, as last counted. While some are, they are counted again when somebody asks: a person settles
 * them with a command. With none, the primary is not asked: that would keep an idle server awake.
 */
export class ConflictCount {
  readonly #conflicts: () => Conflicts | null
  readonly #observe: (seen: Observation) => void
  #open = 0
  #countedAt = Number.NEGATIVE_INFINITY

  /** `conflicts`: those of the primary that serves; null while none does. */
  constructor(conflicts: () => Conflicts | null, observe: (seen: Observation) => void) {
    this.#conflicts = conflicts
    this.#observe = observe
  }

  /** From memory. */
  get open(): number {
    const now = performance.now()
    if (this.#open > 0 && now - this.#countedAt >= recountMs) {
      this.#countedAt = now
      void this.#recount()
    }
    return this.#open
  }

  /** Call with what the replay has counted. */
  counted(open: number): void {
    this.#open = open
    this.#countedAt = performance.now()
  }

  async #recount(): Promise<void> {
    const conflicts = this.#conflicts()
    if (conflicts === null) return
    // A primary that fails is noticed elsewhere.
    const open = await conflicts.count().catch(() => this.#open)
    if (open !== this.#open) this.#observe({ type: 'conflicts.counted', label: conflicts.label, open })
  }
}
