/** A transaction that ended its connection so often, alone, is parked. */
const endingsMax = 3

/** How many local transactions may go together, and which one may end the connections that it is sent on. */
export class EndedConnections {
  #suspect: { readonly id: string; readonly endings: number } | null = null
  #limit = Number.POSITIVE_INFINITY

  /** How many transactions the next batch may have. */
  get limit(): number {
    return this.#limit
  }

  /** True when this one is to be parked instead of sent again. */
  isCulprit(id: string): boolean {
    return this.#suspect?.id === id && this.#suspect.endings >= endingsMax
  }

  /** A connection ended under these transactions. */
  ended(ids: readonly string[]): void {
    const [id = ''] = ids
    this.slow(ids.length)
    if (ids.length > 1) this.#suspect = null
    else this.#suspect = { id, endings: this.#suspect?.id === id ? this.#suspect.endings + 1 : 1 }
  }

  /** A batch of so many took longer than a statement may: the next one is smaller. */
  slow(count: number): void {
    this.#limit = Math.max(1, Math.floor(count / 2))
  }

  /** A batch was committed: the next one may be twice as large. */
  passed(): void {
    this.#suspect = null
    this.#limit *= 2
  }
}
