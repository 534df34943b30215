/** How long equal lines are printed only once. */
const windowMs = 60_000
/** How many different lines are tracked, so that a flood of them cannot fill the memory. */
const maxKeys = 200

interface Entry<T> {
  readonly said: T
  readonly since: number
  count: number
}

/** Admits the first of many equal lines, counts the others, and reports their number after a minute. */
export class Repeats<T> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #summarise: (said: T, count: number) => void
  readonly #now: () => number
  #timer: NodeJS.Timeout | null = null

  constructor(summarise: (said: T, count: number) => void, now: () => number = () => performance.now()) {
    this.#summarise = summarise
    this.#now = now
  }

  /** True if the line should be printed now. */
  admits(key: string, said: T): boolean {
    const now = this.#now()
    const known = this.#entries.get(key)
    if (known !== undefined && now - known.since < windowMs) {
      known.count += 1
      // Runs only while counts wait, and does not keep the process alive.
      this.#timer ??= setInterval(() => this.#reportExpired(), windowMs / 6).unref()
      return false
    }
    this.#forget(key, known)
    const oldest = this.#entries.size < maxKeys ? undefined : this.#entries.entries().next().value
    if (oldest !== undefined) this.#forget(...oldest)
    this.#entries.set(key, { said, since: now, count: 0 })
    return true
  }

  /** Reports all counts. */
  flush(): void {
    for (const [key, entry] of this.#entries) this.#forget(key, entry)
    this.#disarm()
  }

  #reportExpired(): void {
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
