/** A transaction that ended its connection so often, alone, is parked. */
const endingsMax = 3

/** Which local transaction may end the connections that it is sent on. */
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
    this.#limit = Math.max(1, Math.floor(ids.length / 2))
    if (ids.length > 1) this.#suspect = null
    else this.#suspect = { id, endings: this.#suspect?.id === id ? this.#suspect.endings + 1 : 1 }
  }

  /** A batch was committed: the next one may be twice as large. */
  passed(): void {
    this.#suspect = null
    this.#limit *= 2
  }
}
