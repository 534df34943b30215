/** Where a thing stands in a chain. */
export interface Place<T> {
  readonly item: T
  before: Place<T> | null
  after: Place<T> | null
  isIn: boolean
}

/**
 * Things in the order in which they came, which come and go by the thousand a second. A `Set` whose size swings grows and
 * shrinks all the time; the tables that it leaves hold the things that were in them, and all of it outlives the young
 * generation: half of the requests were only freed by a whole collection.
 */
export class Chain<T> implements Iterable<T> {
  #first: Place<T> | null = null
  #last: Place<T> | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Puts it behind all others; the same thing twice is there twice. */
  add(item: T): Place<T> {
    const place: Place<T> = { item, before: this.#last, after: null, isIn: true }
    if (this.#last === null) this.#first = place
    else this.#last.after = place
    this.#last = place
    this.#size += 1
    return place
  }

  /** Takes out what stands at this place of this chain; false when it was taken out before. */
  remove(place: Place<T>): boolean {
    if (!place.isIn) return false
    const { before, after } = place
    if (before === null) this.#first = after
    else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    // An old place must not hold the younger ones that stood beside it.
    place.before = null
    place.after = null
    place.isIn = false
    this.#size -= 1
    return true
  }

  /** Takes out all. */
  clear(): void {
    for (let place = this.#first; place !== null; ) {
      const { after } = place
      this.remove(place)
      place = after
    }
  }

  /** From the oldest to the youngest; what stands there may be taken out meanwhile, nothing else may. */
  *[Symbol.iterator](): IterableIterator<T> {
    let place = this.#first
    while (place !== null) {
      const { after } = place
      yield place.item
      place = after
    }
  }
}
