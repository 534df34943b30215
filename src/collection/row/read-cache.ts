/** What an entry takes besides its text, in bytes. */
const overheadBytes = 200

/** A longer text is not kept, in UTF-16 units. */
const maxTextLength = 64 * 1024

/**
 * A cache of what was read from one generation of a database, bounded in bytes. It is emptied when it is full: what is asked
 * for often is soon in it again.
 */
export class ReadCache<T> {
  readonly #maxBytes: number
  readonly #entries = new Map<string, T>()
  #generation: number | null = null
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** What was kept of this generation of the database; undefined: nothing. Null: a generation that is not known. */
  get(generation: number | null, key: string): T | undefined {
    return generation === this.#generation ? this.#entries.get(key) : undefined
  }

  /** Keeps what was read in this generation, or later; nothing if it is not known. `textLength`: in UTF-16 units. */
  set(generation: number | null, key: string, value: T, textLength: number): void {
    if (generation === null || textLength > maxTextLength) return
    // An older generation: the database has changed since.
    if (this.#generation !== null && generation < this.#generation) return
    const bytes = 2 * textLength + overheadBytes
    // A hundred collections of long rows share the limit: each has little of it.
    if (bytes > this.#maxBytes) return
    if (generation !== this.#generation || this.#bytes + bytes > this.#maxBytes) {
      this.#entries.clear()
      this.#bytes = 0
      this.#generation = generation
    }
    if (!this.#entries.has(key)) this.#bytes += bytes
    this.#entries.set(key, value)
  }
}
