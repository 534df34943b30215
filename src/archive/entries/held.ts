/** An object of this process that is in the archive. */
export interface HeldObject {
  readonly key: string
  readonly identity: string | null
  readonly first: number
  readonly last: number
  /** The last sequence of all parts, where it is one of several. */
  readonly whole: number
  readonly bytes: number
}

/** Fewer objects are not worth a merge. */
const mergedMin = 32

/** The objects of this process that are in the archive, in the order of their entries. */
export class HeldObjects {
  #objects: readonly HeldObject[] = []

  get count(): number {
    return this.#objects.length
  }

  /** In place of one of the same name. */
  add(object: HeldObject): void {
    const others = this.#objects.filter(({ key }) => key !== object.key)
    this.#objects = [...others, object].sort((one, other) => one.first - other.first || one.last - other.last)
  }

  remove(object: HeldObject): void {
    this.#objects = this.#objects.filter((one) => one !== object)
  }

  /** Those of which nothing waits any more. `waiting`: the first entry that waits for this primary; null: none does. */
  done(identity: string | null, waiting: number | null): readonly HeldObject[] {
    return this.#objects.filter((one) => one.identity === identity && (waiting === null || one.whole < waiting))
  }

  /** Whether an entry for this primary is in one of them. */
  has(identity: string | null, sequence: number): boolean {
    return this.#objects.some((one) => one.identity === identity && one.first <= sequence && sequence <= one.last)
  }

  /**
   * Many small ones in a row that fit into one of `maxBytes`: after an outage of hours, whoever carries them would ask for each
   * by itself. Null: there are not enough.
   */
  toMerge(maxBytes: number): readonly HeldObject[] | null {
    const run: HeldObject[] = []
    let bytes = 0
    for (const one of this.#objects) {
      const isOther = one.whole !== one.last || (run.length > 0 && run[0]?.identity !== one.identity)
      if (isOther || bytes + one.bytes > maxBytes) {
        if (run.length >= mergedMin) return run
        run.length = bytes = 0
      }
      if (one.bytes > maxBytes / 2 || one.whole !== one.last) continue
      run.push(one)
      bytes += one.bytes
    }
    return run.length >= mergedMin ? run : null
  }

  /** From now on these are for the primary that was learnt to be theirs. */
  addressed(identity: string): void {
    this.#objects = this.#objects.map((one) => (one.identity === null ? { ...one, identity } : one))
  }

  /** The first one without an address; null: each has one. */
  get unaddressed(): HeldObject | null {
    return this.#objects.find(({ identity }) => identity === null) ?? null
  }
}
