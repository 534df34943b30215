/** An item of a list, with its neighbours. */
export interface ListNode<T> {
  readonly item: T
  previous: ListNode<T> | null
  next: ListNode<T> | null
  isLinked: boolean
}

/**
 * A doubly linked list in the order of insertion; adding and removing are O(1).
 *
 * Not a `Set`: thousands of items come and go in a second, a `Set` is rebuilt each time its size swings, and its old
 * tables keep those items alive until a full garbage collection.
 */
export class LinkedList<T> implements Iterable<T> {
  #first: ListNode<T> | null = null
  #last: ListNode<T> | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Appends the item; the same item may be in the list twice. */
  add(item: T): ListNode<T> {
    const node: ListNode<T> = { item, previous: this.#last, next: null, isLinked: true }
    if (this.#last === null) this.#first = node
    else this.#last.next = node
    this.#last = node
    this.#size += 1
    return node
  }

  /** Removes a node of this list; false when it was removed before. */
  remove(node: ListNode<T>): boolean {
    if (!node.isLinked) return false
    const { previous, next } = node
    if (previous === null) this.#first = next
    else previous.next = next
    if (next === null) this.#last = previous
    else next.previous = previous
    // A removed node must not keep younger ones alive.
    node.previous = null
    node.next = null
    node.isLinked = false
    this.#size -= 1
    return true
  }

  clear(): void {
    for (let node = this.#first; node !== null; ) {
      const { next } = node
      this.remove(node)
      node = next
    }
  }

  /** Oldest first. Only the current item may be removed during the iteration. */
  *[Symbol.iterator](): IterableIterator<T> {
    let node = this.#first
    while (node !== null) {
      const { next } = node
      yield node.item
      node = next
    }
  }
}
