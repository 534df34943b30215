import type { Middleware, Polka } from 'polka'
import type { Caller } from '../../collection/access/caller.ts'
import { permit } from '../../collection/access/permit.ts'
import type { Operation } from '../../collection/declaration/declaration.ts'
import { HoldfastError } from '../../errors.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import { sendError } from '../server/answers.ts'
import { askedBy } from './asking.ts'
import { DataExchange } from './data-exchange.ts'
import { RequestLimits, type RequestLimitsDeps } from './request-limits.ts'
import type { ServedCollection } from './served-collection.ts'

/** What the data API works with. Functions are called for each request, so that a reload takes effect. */
export interface DataRoutesDeps extends RequestLimitsDeps {
  /** By name. */
  readonly collections: () => ReadonlyMap<string, ServedCollection>
  readonly authenticator: Authenticator
}

/** What each method does on a collection and on a row. */
const methods: Readonly<Record<'collection' | 'row', ReadonlyMap<string, Operation>>> = {
  collection: new Map(Object.entries({ GET: 'list', HEAD: 'list', POST: 'create' })),
  row: new Map(Object.entries({ GET: 'get', HEAD: 'get', PATCH: 'update', DELETE: 'delete' })),
}

/** Adds `/api/:collection` and `/api/:collection/:id` to the application. */
export function dataRoutes(app: Polka, deps: DataRoutesDeps): void {
  const limits = new RequestLimits(deps)
  app.all('/api/:collection', route(deps, limits, 'collection'))
  app.all('/api/:collection/:id', route(deps, limits, 'row'))
}

function route(deps: DataRoutesDeps, limits: RequestLimits, resource: keyof typeof methods): Middleware {
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
        limited(deps, limits, exchange, served, operation).catch(async (thrown: unknown) => {
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
  deps: DataRoutesDeps,
  limits: RequestLimits,
  exchange: DataExchange,
  served: ServedCollection,
  operation: Operation,
): Promise<void> {
  const { req, res, granted } = exchange
  const taken = limits.take({ req, res, caller: granted.caller, collection: served.collection, operation })
  if (taken === null) return answer(deps, exchange, served, operation)
  return taken.then(() => answer(deps, exchange, served, operation))
}

function answer(
  deps: DataRoutesDeps,
  exchange: DataExchange,
  served: ServedCollection,
  operation: Operation,
): Promise<void> {
  const { rows } = served
  switch (operation) {
    case 'get':
      return exchange.get(rows)
    case 'list':
    case 'aggregate':
      return exchange.list(served, askedBy(exchange.granted.caller, deps.collections()))
    case 'create':
      return exchange.create(rows, deps.settings().bodyLimitBytes)
    case 'update':
      return exchange.change(rows, deps.settings().bodyLimitBytes)
    case 'delete':
      return exchange.remove(rows)
  }
}
