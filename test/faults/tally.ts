/** Upper ends of the latency histogram, in milliseconds. */
const bucketsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000]

/** What clients met, counted. */
export class Tally {
  readonly statuses: Map<string, number> = new Map()
  /** By store as the header says it. */
  readonly stores: Map<string, number> = new Map()
  readonly violations: string[] = []
  requests = 0
  /** Answers with 503. */
  refused = 0
  longestMs = 0
  /** The longest time in which no client had a useful answer, and when it ended. */
  longestOutageMs = 0
  readonly #counts = new Array<number>(bucketsMs.length + 1).fill(0)
  #violated = 0
  #lastGoodMs = performance.now()

  /** From now on somebody asks. */
  begin(): void {
    this.#lastGoodMs = performance.now()
  }

  answered(status: string, store: string | null, tookMs: number, isGood: boolean): void {
    this.requests += 1
    count(this.statuses, status)
    if (store !== null) count(this.stores, store)
    this.longestMs = Math.max(this.longestMs, tookMs)
    const at = bucketsMs.findIndex((most) => tookMs <= most)
    this.#counts[at < 0 ? bucketsMs.length : at] = (this.#counts[at < 0 ? bucketsMs.length : at] ?? 0) + 1
    if (!isGood) {
      this.refused += 1
      return
    }
    const nowMs = performance.now()
    this.longestOutageMs = Math.max(this.longestOutageMs, nowMs - this.#lastGoodMs)
    this.#lastGoodMs = nowMs
  }

  /** Something that must not be. The first hundred are kept, all are counted. */
  violate(what: string): void {
    this.#violated += 1
    if (this.violations.length < 100) this.violations.push(what)
    console.log(`VIOLATION ${new Date().toISOString()} ${what}`)
  }

  get violated(): number {
    return this.#violated
  }

  histogram(): readonly (readonly [string, number])[] {
    return this.#counts.map((times, at) => [at < bucketsMs.length ? `<= ${bucketsMs[at]} ms` : 'longer', times])
  }
}

/** One more of `key`. */
export function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
