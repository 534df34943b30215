import type { Answer } from '../stage/actor.ts'

/** Upper ends of the latency histogram, in milliseconds. */
const bucketsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000]

/** What clients met, counted. */
export class Tally {
  readonly statuses: Map<string, number> = new Map()
  /** By the store that answered. */
  readonly stores: Map<string, number> = new Map()
  requests = 0
  longestMs = 0
  /** The longest time in which no client had a useful answer. */
  longestOutageMs = 0
  readonly #counts = new Array<number>(bucketsMs.length + 1).fill(0)
  readonly #limitMs: number
  readonly #contradict: (what: string) => void
  #lastGoodMs = performance.now()

  /** `limitMs`: an answer that comes later is a hang. */
  constructor(limitMs: number, contradict: (what: string) => void) {
    this.#limitMs = limitMs
    this.#contradict = contradict
  }

  /** Waits for an answer and counts it. */
  async measure<A extends Answer>(what: string, sent: Promise<A>): Promise<A> {
    const beganMs = performance.now()
    const answer = await sent
    const tookMs = performance.now() - beganMs
    // A service that was killed, or is stopped, answers nothing and late.
    if (answer.status === 0) return answer
    this.#count(`${what} ${answer.status}${answer.code === null ? '' : ` ${answer.code}`}`, answer, tookMs)
    if (answer.status >= 400 && answer.code === 'undefined')
      this.#contradict(`${what}: ${answer.status} without a code`)
    if (answer.status >= 500 && ![503, 507].includes(answer.status))
      this.#contradict(`${what}: ${answer.status} ${answer.code}`)
    return answer
  }

  histogram(): readonly (readonly [string, number])[] {
    return this.#counts.map((times, at) => [at < bucketsMs.length ? `<= ${bucketsMs[at]} ms` : 'longer', times])
  }

  #count(what: string, { status, side }: Answer, tookMs: number): void {
    this.requests += 1
    count(this.statuses, what)
    if (side !== null) count(this.stores, side)
    this.longestMs = Math.max(this.longestMs, tookMs)
    const found = bucketsMs.findIndex((most) => tookMs <= most)
    const at = found < 0 ? bucketsMs.length : found
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    if (tookMs > this.#limitMs) this.#contradict(`${what} took ${Math.round(tookMs)} ms`)
    if (status >= 500) return
    const nowMs = performance.now()
    this.longestOutageMs = Math.max(this.longestOutageMs, nowMs - this.#lastGoodMs)
    this.#lastGoodMs = nowMs
  }
}

/** One more of `key`. */
export function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
