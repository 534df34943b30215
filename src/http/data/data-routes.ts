import type { Middleware, Polka } from 'polka'
import type { Caller } from '../../collection/access/caller.ts'
import { permit } from '../../collection/access/permit.ts'
import type { Operation } from '../../collection/declaration/declaration.ts'
import { HoldfastError } from '../../errors.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import { sendError } from '../server/answers.ts'
import { batchRoute } from './batch.ts'
import { DataExchange } from './data-exchange.ts'
import { LargeBodies } from './large-bodies.ts'
import { ReadExchange } from './read-exchange.ts'
import { type CountedRequest, RequestLimits, type RequestLimitsDeps } from './request-limits.ts'
import type { ServedCollection } from './served-collection.ts'
import { WriteExchange } from './write-exchange.ts'

/** What the data API works with. Functions are called for each request, so that a reload takes effect. */
export interface DataRoutesDeps extends RequestLimitsDeps {
  /** By name. */
  readonly collections: () => ReadonlyMap<string, ServedCollection>
  readonly authenticator: Authenticator
}

/** What each method does on a collection and on a row. */
const methods: Readonly<Record<'collection' | 'query' | 'aggregate' | 'row', ReadonlyMap<string, Operation>>> = {
  collection: new Map(Object.entries({ GET: 'list', HEAD: 'list', POST: 'create', PUT: 'update', DELETE: 'delete' })),
  query: new Map(Object.entries({ POST: 'list' })),
  aggregate: new Map(Object.entries({ GET: 'aggregate', HEAD: 'aggregate' })),
  row: new Map(Object.entries({ GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'update', DELETE: 'delete' })),
}

/** What the routes share. */
interface RouteParts {
  readonly deps: DataRoutesDeps
  readonly limits: RequestLimits
  readonly large: LargeBodies
}

/** Adds `/api`, `/api/:collection` and `/api/:collection/:id` to the application. */
export function dataRoutes(app: Polka, deps: DataRoutesDeps): void {
  const parts = { deps, limits: new RequestLimits(deps), large: new LargeBodies() }
  app.all('/api', batchRoute(parts))
  app.all('/api/:collection', route(parts, 'collection'))
  app.all('/api/:collection/query', route(parts, 'query'))
  app.all('/api/:collection/aggregate', route(parts, 'aggregate'))
  app.all('/api/:collection/:id', route(parts, 'row'))
}

function route(parts: RouteParts, resource: keyof typeof methods): Middleware {
  const { deps } = parts
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
      const proceed = (caller: Caller): void => {
        const exchange = new DataExchange(req, res, permit(served.collection, operation, caller))
        limited(parts, exchange, served, operation).catch(async (thrown: unknown) => {
          const error = await served.access.explained(thrown, operation)
          exchange.describeError(error)
          sendError(req, res, error)
        })
      }
      const caller = deps.authenticator.identify(req)
      if (!(caller instanceof Promise)) return proceed(caller)
      caller.then(proceed).catch((error: unknown) => sendError(req, res, error))
    } catch (error) {
      sendError(req, res, error)
    }
  }
}

/** Not async: each request would pay for a promise that only waits for another. */
function limited(
  parts: RouteParts,
  exchange: DataExchange,
  served: ServedCollection,
  operation: Operation,
): Promise<void> {
  const { req, res, granted } = exchange
  // A row that is replaced may be a new one.
  const counted = req.method === 'PUT' ? 'create' : operation
  const request = { req, res, caller: granted.caller, collection: served.collection, operation: counted }
  const taken = parts.limits.take(request)
  if (taken === null) return answer(parts, exchange, served, request)
  return taken.then(() => answer(parts, exchange, served, request))
}

function answer(
  { deps, limits, large }: RouteParts,
  exchange: DataExchange,
  served: ServedCollection,
  request: CountedRequest,
): Promise<void> {
  const { operation, collection } = request
  if (operation === 'get') return exchange.get(served)
  if (operation === 'list' || operation === 'aggregate') {
    const reads = new ReadExchange(exchange, served, deps.collections())
    if (operation === 'aggregate') return reads.aggregate()
    return exchange.req.method === 'POST' ? reads.query() : reads.list()
  }
  const write = new WriteExchange(exchange, served, { settings: deps.settings(), large })
  const isOfRow = exchange.req.params.id !== undefined
  if (operation === 'delete') return isOfRow ? write.remove() : write.removeMatching()
  if (exchange.req.method === 'POST') return write.create((rows) => limits.take(request, rows))
  if (exchange.req.method === 'PATCH') return write.change()
  const creating = permit(collection, 'create', exchange.granted.caller)
  return isOfRow ? write.replace(creating) : write.replaceAll(creating, (rows) => limits.take(request, rows))
}
