import type { IncomingMessage, ServerResponse } from 'node:http'
import polka, { type Middleware, type NextHandler, type Polka, type Request } from 'polka'
import { type ErrorCode, HoldfastError } from '../../errors.ts'
import { sendError } from './answers.ts'

/** The application that routes are added to. */
export type App = Polka

/** A handler of one route: responds, or throws an error that `sendError` turns into a response. */
export type Handler = Middleware

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const
type Method = (typeof methods)[number]

/** Translates an error that an application's handler threw; returns the error itself if it knows nothing better. */
export type TranslateError = (req: IncomingMessage, error: unknown) => Promise<unknown>

interface Route {
  readonly method: Method | ''
  readonly pattern: string | RegExp
}

/** A property of the request: a WeakMap entry would cost the garbage collector a fifth of a small response. */
const routeKey: unique symbol = Symbol('route')

interface RoutedRequest extends IncomingMessage {
  [routeKey]?: string
}

/** The pattern of the route that handled the request, for logs and metrics: bounded, whatever the URL. */
export function routeOf(req: RoutedRequest): string {
  return req[routeKey] ?? '(none)'
}

/**
 * A Polka application that always responds: to thrown and rejected values by `sendError`, to unknown paths with
 * ROUTE_NOT_FOUND, to other methods with METHOD_NOT_ALLOWED and `Allow`. Routes may be added at any time.
 */
export function createApp(translate: TranslateError = async (_req, error) => error): App {
  const routes: Route[] = []
  const app: App = polka({
    onError: (error, req, res) => {
      if (error instanceof HoldfastError) return sendError(req, res, error)
      return translate(req, error).then(
        (better) => sendError(req, res, better),
        () => sendError(req, res, error),
      )
    },
    onNoMatch: (req, res) => rejectUnmatched(app, routes, req, res),
  })
  recordRoutes(app, routes)
  return app
}

/** Polka does not expose the chosen route, so each route marks the request when it is called. */
function recordRoutes(app: App, routes: Route[]): void {
  const add = app.add.bind(app)
  const addRoute = (method: Method | '', pattern: string | RegExp, fns: Handler[]): App => {
    const [first, ...rest] = fns
    if (first === undefined) return app
    routes.push({ method, pattern })
    const label = String(pattern)
    const marked: Handler = (req: Request & RoutedRequest, res, next) => {
      req[routeKey] = label
      return first(req, res, next)
    }
    // Trouter accepts '' as "every method"; its type does not.
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

/** Responds to a request that no route handled, with the methods that its path supports. */
function rejectUnmatched(app: App, routes: readonly Route[], req: Request, res: ServerResponse): void {
  const allowed = allowedMethods(app, routes, req.path)
  if (allowed.length > 0) res.setHeader('Allow', allowed.join(', '))
  if (allowed.length > 0 && req.method === 'OPTIONS') {
    res.writeHead(204)
    res.end()
  } else {
    sendError(req, res, new HoldfastError(unmatchedCode(req.method, allowed)))
  }
}

/** A route that matched but passed the request on without a response is a defect of this service. */
function unmatchedCode(method: string, allowed: readonly string[]): ErrorCode {
  if (allowed.length === 0) return 'ROUTE_NOT_FOUND'
  return allowed.includes(method) ? 'INTERNAL_ERROR' : 'METHOD_NOT_ALLOWED'
}

function allowedMethods(app: App, routes: readonly Route[], path: string): readonly string[] {
  // Middlewares match every path and prove nothing: only methods that a route names count.
  const named = methods.filter((method) => routes.some((route) => route.method === method))
  const middlewares = app.find('TRACE', path).handlers.length
  const found = named.filter((method) => app.find(method, path).handlers.length > middlewares)
  if (found.length === 0) return []
  const withHead = found.includes('GET') && !found.includes('HEAD') ? ['HEAD'] : []
  return [...found, ...withHead, 'OPTIONS'].filter((method, at, all) => all.indexOf(method) === at)
}

/** Passes a request to the application, even one that another framework has wrapped. Never throws. */
export function dispatch(app: App, req: IncomingMessage, res: ServerResponse): void {
  // Polka sets these; on Express's requests they are getters.
  if ('path' in req) makeWritable(req, 'path')
  if ('query' in req) makeWritable(req, 'query')
  try {
    // Polka passes rejections to `onError`. Its type wants the properties and the `next` that it creates itself.
    void app.handler(req as Request, res, undefined as unknown as NextHandler)
  } catch (error) {
    sendError(req, res, error)
  }
}

function makeWritable(req: IncomingMessage, name: 'path' | 'query'): void {
  if (Object.hasOwn(req, name)) return
  Object.defineProperty(req, name, { value: undefined, writable: true, configurable: true, enumerable: true })
}
