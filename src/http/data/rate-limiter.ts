import crypto, { randomBytes } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { RateLimit } from '../../collection/declaration/declaration.ts'

/** What a client has left. */
export interface RateState {
  readonly isAllowed: boolean
  readonly remaining: number
  /** Seconds until the window ends; at least 1. */
  readonly resetS: number
}

/** How many clients have a counter of their own. Further ones share counters, so that memory is bounded. */
const maxClients = 10_000

const sharedCounters = 1_024

const salt = randomBytes(16).toString('hex')

/** Counts requests by client within fixed windows. In memory: each replica counts for itself. */
export class RateLimiter {
  readonly limit: RateLimit
  /** What the headers call it. */
  readonly #name: string
  readonly #limiter: RateLimiterMemory
  readonly #now: () => number
  /** When each client's window ends, oldest first, since all windows are equally long. */
  readonly #ends = new Map<string, number>()

  /** `now` is a monotonic clock in milliseconds. */
  constructor(name: string, limit: RateLimit, now: () => number) {
    this.#name = name
    this.limit = limit
    this.#now = now
    this.#limiter = new RateLimiterMemory({ points: limit.requests, duration: limit.windowS, keyPrefix: '' })
  }

  /** Counts a request of this client, or as many as it stands for. Never rejects. */
  async take(client: string, requests = 1): Promise<RateState> {
    try {
      return stateOf(await this.#limiter.consume(this.#counter(client), requests), true)
    } catch (error) {
      // The library rejects with its result when the limit is reached; that is its only way to fail.
      if (error instanceof RateLimiterRes) return stateOf(error, false)
      throw error
    }
  }

  /** Two headers of the draft "RateLimit header fields for HTTP". */
  headers(state: RateState): Readonly<Record<string, string>> {
    return {
      'RateLimit-Policy': `"${this.#name}";q=${this.limit.requests};w=${this.limit.windowS}`,
      RateLimit: `"${this.#name}";r=${state.remaining};t=${state.resetS}`,
    }
  }

  #counter(client: string): string {
    const now = this.#now()
    const end = this.#ends.get(client)
    if (end !== undefined && end > now) return client
    // Deleted first: a client whose window starts again belongs to the end of the queue.
    this.#ends.delete(client)
    for (const [oldest, itsEnd] of this.#ends) {
      if (itsEnd > now) break
      this.#ends.delete(oldest)
    }
    if (this.#ends.size >= maxClients) return `shared ${sharedCounter(client)}`
    this.#ends.set(client, now + this.limit.windowS * 1_000)
    return client
  }
}

/** Salted, so that no one can choose an address that shares the counter of a particular client. */
function sharedCounter(client: string): number {
  return crypto.hash('sha256', salt + client, 'buffer').readUInt32BE() % sharedCounters
}

function stateOf(result: RateLimiterRes, isAllowed: boolean): RateState {
  return { isAllowed, remaining: result.remainingPoints, resetS: Math.max(1, Math.ceil(result.msBeforeNext / 1_000)) }
}
