/** What an entry takes besides its text, in bytes. */
const overheadBytes = 200

/** A longer text is not kept, in UTF-16 units. */
const maxTextLength = 64 * 1024

/**
 * What was read from a database, by a key, for as long as nothing in that database changes. Full, it is emptied: what is
 * asked for often is soon here again.
 */
export class ReadCache<T> {
  readonly #maxBytes: number
  readonly #entries = new Map<string, T>()
  #generation: number | null = null
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** What was kept in this generation of the database; undefined: nothing. */
  get(generation: number, key: string): T | undefined {
    return generation === this.#generation ? this.#entries.get(key) : undefined
  }

  /** Keeps what was read in this generation, or later. `textLength`: in UTF-16 units. */
  set(generation: number, key: string, value: T, textLength: number): void {
    if (textLength > maxTextLength) return
    // An older generation: the database has changed since.
    if (this.#generation !== null && generation < this.#generation) return
    const bytes = 2 * textLength + overheadBytes
    if (generation !== this.#generation || this.#bytes + bytes > this.#maxBytes) {
      this.#entries.clear()
      this.#bytes = 0
      this.#generation = generation
    }
    if (!this.#entries.has(key)) this.#bytes += bytes
    this.#entries.set(key, value)
  }
}
