/** A removal is remembered for so long: the answer of a change that was committed before it may come later. */
const removalMs = 60_000

/** The most removals that are remembered, about 20 MB. */
const removalsMax = 100_000

/** As many changed rows are kept, or twice those that were needed last, before those that no look can meet are dropped. */
const keptMin = 10_000

/** A look at the primary that is under way. */
export interface OpenLook {
  /** Whether the row was written through since the look began. */
  isNewer(key: string): boolean
  /** To be called when the look was applied, or given up. Safe to call twice. */
  end(): void
}

/** Which rows this process has changed in the primary since when: what a look has read of them may be older. */
export class TouchedRows {
  readonly #now: () => number
  /** By table and key: the number of the last change. */
  readonly #changes = new Map<string, Map<string, number>>()
  /** By table and key: when it was removed. Oldest first. */
  readonly #removals = new Map<string, number>()
  readonly #looks = new Set<number>()
  #last = 0
  #size = 0
  #sizeMax: number = keptMin

  /** `now`: a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** To be called when a change of the row was answered by the primary. */
  changed(table: string, key: string): void {
    const rows = this.#changes.get(table) ?? new Map<string, number>()
    this.#last += 1
    if (!rows.has(key)) this.#size += 1
    rows.set(key, this.#last)
    this.#changes.set(table, rows)
    if (this.#size > this.#sizeMax) this.#forget()
  }

  /** To be called when the removal of the row was answered. */
  removed(table: string, key: string): void {
    this.changed(table, key)
    const name = `${table} ${key}`
    this.#removals.delete(name)
    this.#removals.set(name, this.#now())
    for (const [oldest, at] of this.#removals) {
      if (this.#removals.size <= removalsMax && this.#now() - at < removalMs) break
      this.#removals.delete(oldest)
    }
  }

  /** Whether the row was removed a short time ago. */
  isRemoved(table: string, key: string): boolean {
    const at = this.#removals.get(`${table} ${key}`)
    return at !== undefined && this.#now() - at < removalMs
  }

  /** To be called before the primary is asked. */
  look(table: string): OpenLook {
    // A number of its own: two looks may begin between two changes.
    this.#last += 1
    const began = this.#last
    this.#looks.add(began)
    return {
      isNewer: (key) => (this.#changes.get(table)?.get(key) ?? 0) > began,
      end: () => {
        if (this.#looks.delete(began) && this.#looks.size === 0) this.#forget()
      },
    }
  }

  /** Drops the changes that are older than each open look. */
  #forget(): void {
    const first = Math.min(this.#last + 1, ...this.#looks)
    this.#size = 0
    for (const [table, rows] of this.#changes) {
      for (const [key, number] of rows) if (number < first) rows.delete(key)
      this.#size += rows.size
      if (rows.size === 0) this.#changes.delete(table)
    }
    this.#sizeMax = Math.max(keptMin, 2 * this.#size)
  }
}
