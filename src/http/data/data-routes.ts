import type { ServerResponse } from 'node:http'
import type { Middleware, Polka, Request } from 'polka'
import { adminCaller, publicCaller } from '../../collection/access/caller.ts'
import { permit } from '../../collection/access/permit.ts'
import type { Collection, Operation } from '../../collection/declaration/declaration.ts'
import { isPublic } from '../../collection/declaration/declaration.ts'
import type { Secret } from '../../config/secret.ts'
import type { Settings } from '../../config/settings.ts'
import { HoldfastError } from '../../errors.ts'
import { sendError } from '../server/answers.ts'
import { isAdmin, requireAdmin } from '../server/auth.ts'
import { clientAddress } from './client-address.ts'
import { DataExchange } from './data-exchange.ts'
import { RateLimiter } from './rate-limiter.ts'
import type { ServedCollection } from './served-collection.ts'

/** What the data API works with. Functions are called for each request, so that a reload takes effect. */
export interface DataRoutesDeps {
  /** By name. */
  readonly collections: () => ReadonlyMap<string, ServedCollection>
  readonly settings: () => Settings['http']
  /** The admin token. */
  readonly token: () => Secret
  /** How many proxies in front of the service are trusted. */
  readonly trustedProxies: () => number
  /** Monotonic, milliseconds. */
  readonly now: () => number
}

/** What each method does on a collection and on a row. */
const methods: Readonly<Record<'collection' | 'row', ReadonlyMap<string, Operation>>> = {
  collection: new Map(Object.entries({ GET: 'list', HEAD: 'list', POST: 'create' })),
  row: new Map(Object.entries({ GET: 'get', HEAD: 'get', PATCH: 'update', DELETE: 'delete' })),
}

/** Adds `/api/:collection` and `/api/:collection/:id` to the application. */
export function dataRoutes(app: Polka, deps: DataRoutesDeps): void {
  const limits = new CreateLimits(deps)
  app.all('/api/:collection', route(deps, limits, 'collection'))
  app.all('/api/:collection/:id', route(deps, limits, 'row'))
}

function route(deps: DataRoutesDeps, limits: CreateLimits, resource: keyof typeof methods): Middleware {
  const allowed = [...methods[resource].keys(), 'OPTIONS'].join(', ')
  return (req, res) => {
    try {
      const served = deps.collections().get(req.params.collection ?? '')
      if (served === undefined) throw new HoldfastError('COLLECTION_NOT_FOUND')
      if (req.method === 'OPTIONS') {
        res.writeHead(204, { Allow: allowed }).end()
        return
      }
      const operation = methods[resource].get(req.method)
      if (operation === undefined) {
        res.setHeader('Allow', allowed)
        throw new HoldfastError('METHOD_NOT_ALLOWED')
      }
      if (!isPublic(served.collection, operation)) requireAdmin(req, deps.token())
      const caller = isAdmin(req, deps.token()) ? adminCaller : publicCaller
      const exchange = new DataExchange(req, res, permit(served.collection, operation, caller))
      answer(deps, limits, exchange, served, operation).catch(async (thrown: unknown) => {
        const error = await served.access.explained(thrown, operation)
        exchange.describeError(error)
        sendError(req, res, error)
      })
    } catch (error) {
      sendError(req, res, error)
    }
  }
}

/** Not async: each request would pay for a promise that only waits for another. */
function answer(
  deps: DataRoutesDeps,
  limits: CreateLimits,
  exchange: DataExchange,
  { collection, rows }: ServedCollection,
  operation: Operation,
): Promise<void> {
  switch (operation) {
    case 'get':
      return exchange.get(rows)
    case 'list':
    case 'aggregate':
      return exchange.list(rows)
    case 'create': {
      const { bodyLimitBytes } = deps.settings()
      const taken = limits.take(exchange, collection)
      return taken === null
        ? exchange.create(rows, bodyLimitBytes)
        : taken.then(() => exchange.create(rows, bodyLimitBytes))
    }
    case 'update':
      return exchange.change(rows, deps.settings().bodyLimitBytes)
    case 'delete':
      return exchange.remove(rows)
  }
}

/** The rate limits of public creates, one per collection. */
class CreateLimits {
  readonly #deps: DataRoutesDeps
  readonly #limits = new Map<string, RateLimiter>()

  constructor(deps: DataRoutesDeps) {
    this.#deps = deps
  }

  /** Counts a create of a client without the admin token. Rejects with RATE_LIMITED; null when nothing is limited. */
  take({ req, res }: DataExchange, collection: Collection): Promise<void> | null {
    const limit = this.#limitOf(collection)
    return limit === null || isAdmin(req, this.#deps.token()) ? null : this.#count(limit, req, res)
  }

  async #count(limit: RateLimiter, req: Request, res: ServerResponse): Promise<void> {
    const state = await limit.take(clientAddress(req, this.#deps.trustedProxies()))
    const headers = limit.headers(state)
    for (const name in headers) res.setHeader(name, headers[name] ?? '')
    if (!state.isAllowed) throw new HoldfastError('RATE_LIMITED', { retryAfterS: state.resetS })
  }

  /** The collection's own limit, else that of the settings; 0 in the settings disables all of them. */
  #limitOf(collection: Collection): RateLimiter | null {
    const { rateLimit, rateLimitWindowS } = this.#deps.settings()
    if (rateLimit === 0 || !isPublic(collection, 'create')) return null
    const { requests, windowS } = collection.rateLimit ?? { requests: rateLimit, windowS: rateLimitWindowS }
    const known = this.#limits.get(collection.name)
    if (known?.limit.requests === requests && known.limit.windowS === windowS) return known
    const made = new RateLimiter({ requests, windowS }, this.#deps.now)
    this.#limits.set(collection.name, made)
    return made
  }
}
