import type { IncomingMessage, ServerResponse } from 'node:http'
import polka, { type Middleware, type NextHandler, type Polka, type Request } from 'polka'
import { type ErrorCode, HoldfastError } from '../../errors.ts'
import { sendError } from './answers.ts'

/** What routes are added to. */
export type App = Polka

/** A handler of one route: answers, or throws what `sendError` turns into an answer. */
export type Handler = Middleware

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const
type Method = (typeof methods)[number]

/** What to answer to an error that a handler of an application threw; the error itself where nothing better is known. */
export type Refusal = (req: IncomingMessage, error: unknown) => Promise<unknown>

interface Route {
  readonly method: Method | ''
  readonly pattern: string | RegExp
}

/** A property of the request: a WeakMap entry per request costs the collector a fifth of a small answer. */
const routeKey: unique symbol = Symbol('route')

interface Labelled extends IncomingMessage {
  [routeKey]?: string
}

/** The pattern of the route that took the request, for logs and metrics: bounded, whatever is asked for. */
export function routeOf(req: Labelled): string {
  return req[routeKey] ?? '(none)'
}

/**
 * A Polka application that answers whatever happens: a thrown or rejected value by `sendError`, an unknown address by
 * ROUTE_NOT_FOUND, a known one with another method by METHOD_NOT_ALLOWED and `Allow`. Routes may be added at any time.
 */
export function createApp(refusal: Refusal = async (_req, error) => error): App {
  const routes: Route[] = []
  const app: App = polka({
    onError: (error, req, res) => {
      if (error instanceof HoldfastError) return sendError(req, res, error)
      return refusal(req, error).then(
        (better) => sendError(req, res, better),
        () => sendError(req, res, error),
      )
    },
    onNoMatch: (req, res) => refuse(app, routes, req, res),
  })
  remember(app, routes)
  return app
}

/** Polka does not tell which route it chose, so each one says it when it is called. */
function remember(app: App, routes: Route[]): void {
  const add = app.add.bind(app)
  const addRoute = (method: Method | '', pattern: string | RegExp, fns: Handler[]): App => {
    const [first, ...rest] = fns
    if (first === undefined) return app
    routes.push({ method, pattern })
    const label = String(pattern)
    const marked: Handler = (req: Request & Labelled, res, next) => {
      req[routeKey] = label
      return first(req, res, next)
    }
    // Trouter takes '' for "every method"; its type does not say so.
    add(method as Method, pattern, marked, ...rest)
    return app
  }
  app.all = (pattern, ...fns) => addRoute('', pattern, fns)
  app.get = (pattern, ...fns) => addRoute('GET', pattern, fns)
  app.head = (pattern, ...fns) => addRoute('HEAD', pattern, fns)
  app.post = (pattern, ...fns) => addRoute('POST', pattern, fns)
  app.put = (pattern, ...fns) => addRoute('PUT', pattern, fns)
  app.patch = (pattern, ...fns) => addRoute('PATCH', pattern, fns)
  app.delete = (pattern, ...fns) => addRoute('DELETE', pattern, fns)
  app.options = (pattern, ...fns) => addRoute('OPTIONS', pattern, fns)
}

/** Nothing took the request: says why, and what the address does take. */
function refuse(app: App, routes: readonly Route[], req: Request, res: ServerResponse): void {
  const allowed = allowedMethods(app, routes, req.path)
  if (allowed.length > 0) res.setHeader('Allow', allowed.join(', '))
  if (allowed.length > 0 && req.method === 'OPTIONS') {
    res.writeHead(204)
    res.end()
  } else {
    sendError(req, res, new HoldfastError(refusalCode(req.method, allowed)))
  }
}

/** A route that took the request and handed it on unanswered (or threw nothing at all) is a defect of ours. */
function refusalCode(method: string, allowed: readonly string[]): ErrorCode {
  if (allowed.length === 0) return 'ROUTE_NOT_FOUND'
  return allowed.includes(method) ? 'INTERNAL_ERROR' : 'METHOD_NOT_ALLOWED'
}

function allowedMethods(app: App, routes: readonly Route[], path: string): readonly string[] {
  // Middlewares fit every address, so what they take says nothing: only methods that a route names are asked for.
  const named = methods.filter((method) => routes.some((route) => route.method === method))
  const middlewares = app.find('TRACE', path).handlers.length
  const found = named.filter((method) => app.find(method, path).handlers.length > middlewares)
  if (found.length === 0) return []
  const withHead = found.includes('GET') && !found.includes('HEAD') ? ['HEAD'] : []
  return [...found, ...withHead, 'OPTIONS'].filter((method, at, all) => all.indexOf(method) === at)
}

/** Hands a request to the application, also one that another framework has dressed up. Never throws. */
export function dispatch(app: App, req: IncomingMessage, res: ServerResponse): void {
  // What Express's requests have as getters only, and Polka sets.
  if ('path' in req) makeWritable(req, 'path')
  if ('query' in req) makeWritable(req, 'query')
  try {
    // Polka returns nothing and hands rejections to `onError`. It sets its own properties first; its type asks for a request that has them, and for a `next` that it makes itself.
    void app.handler(req as Request, res, undefined as unknown as NextHandler)
  } catch (error) {
    sendError(req, res, error)
  }
}

function makeWritable(req: IncomingMessage, name: 'path' | 'query'): void {
  if (Object.hasOwn(req, name)) return
  Object.defineProperty(req, name, { value: undefined, writable: true, configurable: true, enumerable: true })
}
