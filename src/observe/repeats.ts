/** For how long the same thing is said only once. */
const windowMs = 60_000
/** So many different things are told apart; a swarm of different ones must not fill the memory. */
const maxKeys = 200

interface Entry<T> {
  readonly said: T
  readonly since: number
  count: number
}

/** Says the first of many equal things, counts the others, and tells their number when a minute is over. */
export class Repeats<T> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #summarise: (said: T, count: number) => void
  readonly #now: () => number
  #timer: NodeJS.Timeout | null = null

  constructor(summarise: (said: T, count: number) => void, now: () => number = () => performance.now()) {
    this.#summarise = summarise
    this.#now = now
  }

  /** True when it should be said now. */
  admits(key: string, said: T): boolean {
    const now = this.#now()
    const known = this.#entries.get(key)
    if (known !== undefined && now - known.since < windowMs) {
      known.count += 1
      // Only while something waits to be told, and never in the way of the process's end.
      this.#timer ??= setInterval(() => this.#tellOver(), windowMs / 6).unref()
      return false
    }
    this.#forget(key, known)
    const oldest = this.#entries.size < maxKeys ? undefined : this.#entries.entries().next().value
    if (oldest !== undefined) this.#forget(...oldest)
    this.#entries.set(key, { said, since: now, count: 0 })
    return true
  }

  /** Tells everything that was only counted so far. */
  flush(): void {
    for (const [key, entry] of this.#entries) this.#forget(key, entry)
    this.#disarm()
  }

  #tellOver(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#now() - entry.since >= windowMs) this.#forget(key, entry)
    }
    if (this.#entries.size === 0) this.#disarm()
  }

  #disarm(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #forget(key: string, entry: Entry<T> | undefined): void {
    this.#entries.delete(key)
    if (entry !== undefined && entry.count > 0) this.#summarise(entry.said, entry.count)
  }
}
