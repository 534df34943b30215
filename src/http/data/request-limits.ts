import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Caller, callerName } from '../../collection/access/caller.ts'
import { type Collection, isPublic, type Operation, type RateLimit } from '../../collection/declaration/declaration.ts'
import type { Settings } from '../../config/settings.ts'
import { HoldfastError } from '../../errors.ts'
import { holdHeader } from '../server/fast-response.ts'
import { clientAddress } from './client-address.ts'
import { RateLimiter } from './rate-limiter.ts'

/** What `RequestLimits` needs. Functions are called for each request, so that a reload takes effect. */
export interface RequestLimitsDeps {
  readonly settings: () => Settings['http']
  /** How many proxies in front of the service are trusted. */
  readonly trustedProxies: () => number
  /** Monotonic, milliseconds. */
  readonly now: () => number
}

/** One request, as it is counted. */
export interface CountedRequest {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly caller: Caller
  readonly collection: Collection
  readonly operation: Operation
}

/** The rate limits of the data API: public creates by collection, other public requests, and those with a token. */
export class RequestLimits {
  readonly #deps: RequestLimitsDeps
  readonly #limits = new Map<string, RateLimiter>()

  constructor(deps: RequestLimitsDeps) {
    this.#deps = deps
  }

  /**
   * Counts a request, or as many as it stands for: an array of rows is as many creates. Rejects with RATE_LIMITED; null when
   * nothing is limited.
   */
  take(request: CountedRequest, requests = 1): Promise<void> | null {
    const { caller, req } = request
    const limiter = this.#limiterOf(request)
    if (limiter === null) return null
    const client = caller.is === 'public' ? clientAddress(req, this.#deps.trustedProxies()) : callerName(caller)
    return count(limiter, client, requests, request.res)
  }

  /** RATE_LIMIT of 0 turns all of them off. */
  #limiterOf({ caller, collection, operation }: CountedRequest): RateLimiter | null {
    const { rateLimit, readRateLimit, tokenRateLimit, rateLimitWindowS: windowS } = this.#deps.settings()
    if (rateLimit === 0 || caller.is === 'admin') return null
    if (caller.is !== 'public') return this.#limiter('token', '', { requests: tokenRateLimit, windowS })
    if (operation !== 'create' || !isPublic(collection, 'create'))
      return this.#limiter('read', '', { requests: readRateLimit, windowS })
    return this.#limiter('create', collection.name, collection.rateLimit ?? { requests: rateLimit, windowS })
  }

  #limiter(name: string, collection: string, limit: RateLimit): RateLimiter | null {
    if (limit.requests === 0) return null
    const key = `${name} ${collection}`
    const known = this.#limits.get(key)
    if (known?.limit.requests === limit.requests && known.limit.windowS === limit.windowS) return known
    const made = new RateLimiter(name, limit, this.#deps.now)
    this.#limits.set(key, made)
    return made
  }
}

async function count(limiter: RateLimiter, client: string, requests: number, res: ServerResponse): Promise<void> {
  const state = await limiter.take(client, requests)
  const headers = limiter.headers(state)
  for (const name in headers) holdHeader(res, name, headers[name] ?? '')
  if (!state.isAllowed) throw new HoldfastError('RATE_LIMITED', { retryAfterS: state.resetS })
}
