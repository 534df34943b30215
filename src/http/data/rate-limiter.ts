import { hash, randomBytes } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

/** How much a client may do within how long. */
export interface Limit {
  readonly requests: number
  readonly windowS: number
}

/** What a client has left. */
export interface RateState {
  readonly isAllowed: boolean
  readonly remaining: number
  /** Seconds until the window ends; at least 1. */
  readonly resetS: number
}

/** Clients that are told apart at once; further ones share places, so that memory has a bound whoever asks. */
const maxClients = 10_000

const sharedPlaces = 1_024

const salt = randomBytes(16).toString('hex')

/** Counts requests by client within fixed windows. In memory: each replica counts for itself. */
export class RateLimiter {
  readonly limit: Limit
  readonly #limiter: RateLimiterMemory
  readonly #now: () => number
  /** When each client's window ends, oldest first: all windows are equally long. */
  readonly #ends = new Map<string, number>()

  /** `now` is a monotonic clock in milliseconds. */
  constructor(limit: Limit, now: () => number) {
    this.limit = limit
    this.#now = now
    this.#limiter = new RateLimiterMemory({ points: limit.requests, duration: limit.windowS, keyPrefix: '' })
  }

  /** Counts one request of this client. Never rejects. */
  async take(client: string): Promise<RateState> {
    try {
      return stateOf(await this.#limiter.consume(this.#place(client)), true)
    } catch (error) {
      // The library rejects with its result when the limit is reached; it has no other way to fail.
      if (error instanceof RateLimiterRes) return stateOf(error, false)
      throw error
    }
  }

  /** Two headers of the draft "RateLimit header fields for HTTP". */
  headers(state: RateState): Readonly<Record<string, string>> {
    return {
      'RateLimit-Policy': `"create";q=${this.limit.requests};w=${this.limit.windowS}`,
      RateLimit: `"create";r=${state.remaining};t=${state.resetS}`,
    }
  }

  #place(client: string): string {
    const now = this.#now()
    const end = this.#ends.get(client)
    if (end !== undefined && end > now) return client
    // Deleted first: a client whose window begins anew belongs to the end of the queue.
    this.#ends.delete(client)
    for (const [oldest, itsEnd] of this.#ends) {
      if (itsEnd > now) break
      this.#ends.delete(oldest)
    }
    if (this.#ends.size >= maxClients) return `shared ${sharedPlace(client)}`
    this.#ends.set(client, now + this.limit.windowS * 1_000)
    return client
  }
}

/** Salted: nobody can choose an address whose place is that of a certain other. */
function sharedPlace(client: string): number {
  return hash('sha256', salt + client, 'buffer').readUInt32BE() % sharedPlaces
}

function stateOf(result: RateLimiterRes, isAllowed: boolean): RateState {
  return { isAllowed, remaining: result.remainingPoints, resetS: Math.max(1, Math.ceil(result.msBeforeNext / 1_000)) }
}
