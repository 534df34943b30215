import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Settings } from '../../config/settings.ts'
import { LinkedList } from '../../database/work/linked-list.ts'
import { HoldfastError } from '../../errors.ts'
import { checkAddress } from './address.ts'
import { refusalOf, requestIdOf, sendError } from './answers.ts'
import { type App, createApp, dispatch, type Refusal, routeOf } from './app.ts'
import { settle, watch } from './backpressure.ts'
import { createClientErrorHandler, createConnectHandler, type Exchange } from './connection.ts'
import { Places } from './connection-limit.ts'
import { OwnResponse } from './fast-response.ts'
import { type ListenAddress, ListenError, listenOn } from './listen.ts'
import type { ObserveHttp } from './observation.ts'
import { Line } from './pipeline-queue.ts'
import { requestIdFor } from './request-id.ts'
import { endStalled, type Patience, patience } from './slow-readers.ts'

/** What the HTTP shell is made from. */
export interface HttpParts {
  /** Read anew for each request, so a reload reaches the limits of addresses; those of sockets need a restart. */
  readonly settings: () => Pick<Settings, 'http' | 'platform'>
  readonly observe: ObserveHttp
  /** Adds the routes; the first that fits answers. */
  readonly routes: (app: App) => void
  /** Turns what an application's handler threw into what its caller gets. */
  readonly refusal?: Refusal
  /** How slowly an answer may be read before its connection is destroyed. */
  readonly patience?: Patience
}

/** The HTTP side of the service. Nothing is open until `listen`. */
export interface Http {
  /** Answers every request, never rejects. For Polka, Express and `node:http`. */
  readonly handler: RequestListener
  /** Binds; `problem` says that it is not the wished host. Rejects with `ListenError`: port taken or forbidden, or already listening or closed. */
  listen(at: { readonly port: number; readonly host: string }): Promise<ListenAddress>
  /** Stops accepting, answers what is in flight, destroys what is left after the limit. Safe to call twice and before `listen`. */
  close(options: { readonly withinMs: number }): Promise<void>
}

/** A client that neither sends nor reads for this long is gone. Above every time that a request may take. */
const socketIdleMs = 120_000

/** Composes the shell: opens nothing. */
export function createHttp(parts: HttpParts): Http {
  const app = createApp(parts.refusal)
  parts.routes(app)
  const inFlight = new LinkedList<Exchange>()
  const places = placesOf(parts)
  let server: Server | null = null
  let closed: Promise<void> | null = null
  const start = ({ req, res }: Exchange) => {
    // Answered while it waited: its body broke.
    if (res.writableEnded) return
    if (closed !== null && !res.headersSent) res.setHeader('Connection', 'close')
    try {
      checkAddress(req, parts.settings().http.urlLimitBytes)
    } catch (error) {
      return sendError(req, res, error)
    }
    dispatch(app, req, res)
  }
  const cut = (socket: Socket) => {
    for (const exchange of [...inFlight]) if (exchange.req.socket === socket) exchange.end()
  }
  const handler: RequestListener = (req, res) => {
    const line = Line.of(req.socket, start, cut)
    places.work(req.socket)
    line.enter(begin(parts, { inFlight, line, places }, req, res))
  }
  return {
    handler,
    async listen({ port, host }) {
      if (server !== null || closed !== null)
        throw new ListenError('LISTEN_FAILED', 'The service listens already, or was closed.')
      server = createNodeServer(parts, handler, inFlight, places)
      try {
        const address = await listenOn(server, port, host)
        server.once('close', endStalled(inFlight, parts.patience ?? patience))
        parts.observe({ type: 'http.listening', url: address.url, host: address.host, port: address.port })
        return address
      } catch (error) {
        server = null
        throw error
      }
    },
    close({ withinMs }) {
      closed ??=
        server === null
          ? Promise.resolve()
          : closeServer(server, { inFlight, sockets: places.open }, withinMs, parts.observe)
      return closed
    },
  }
}

/** Puts on the headers of every answer, and notices its end. */
function begin(
  parts: HttpParts,
  { inFlight, line, places }: { readonly inFlight: LinkedList<Exchange>; readonly line: Line; readonly places: Places },
  req: IncomingMessage,
  res: ServerResponse,
): Exchange {
  const startedAt = performance.now()
  const url = req.url ?? '/'
  const end = () => {
    if (!inFlight.remove(place)) return
    settle(res)
    observeEnd(parts.observe, exchange, pathOf(url), performance.now() - startedAt)
    line.leave()
    if (line.isEmpty) places.rest(req.socket)
  }
  const exchange: Exchange = { req, res, end }
  const place = inFlight.add(exchange)
  watch(res)
  if (res instanceof OwnResponse) {
    res.requestId = requestIdFor(req)
  } else {
    res.setHeader('X-Request-Id', requestIdFor(req))
    res.setHeader('X-Content-Type-Options', 'nosniff')
  }
  res.on('close', end)
  return exchange
}

/** Without the query, which may hold what nobody should read in a log. */
function pathOf(url: string): string {
  const at = url.indexOf('?')
  return at < 0 ? url : url.slice(0, at)
}

function observeEnd(observe: ObserveHttp, { req, res }: Exchange, path: string, durationMs: number): void {
  const requestId = requestIdOf(res) ?? ''
  const method = req.method ?? ''
  const route = routeOf(req)
  const error = refusalOf(res)
  if (error !== undefined && isOurs(error)) {
    const code = error instanceof HoldfastError ? error.code : 'INTERNAL_ERROR'
    observe({ type: 'request.failed', requestId, method, route, code, error })
  }
  const aborted = !res.writableFinished
  observe({ type: 'request.answered', requestId, method, path, route, status: res.statusCode, durationMs, aborted })
}

/** True when the log should have the cause: the caller could do nothing about it. */
function isOurs(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return true
  return error.code === 'INTERNAL_ERROR' || (error.status >= 500 && error.cause !== undefined)
}

function placesOf({ settings, observe }: HttpParts): Places {
  const { http, platform } = settings()
  const limit = http.maxConnections
  const proxies = http.trustedProxies ?? (platform.spaceId === null ? 0 : 1)
  const perAddress = proxies > 0 ? null : Math.ceil(limit / 2)
  return new Places({ all: limit, perAddress }, () => observe({ type: 'connection.dropped', limit }))
}

function createNodeServer(
  parts: HttpParts,
  handler: RequestListener,
  inFlight: Iterable<Exchange>,
  places: Places,
): Server {
  const limits = parts.settings().http
  const headersTimeout = limits.headersTimeoutS * 1000
  const requestTimeout = limits.requestTimeoutS * 1000
  const server = createServer(
    {
      ServerResponse: OwnResponse,
      maxHeaderSize: limits.headerLimitBytes,
      headersTimeout: Math.min(headersTimeout, requestTimeout),
      requestTimeout,
      keepAliveTimeout: limits.keepAliveTimeoutS * 1000,
      // Node looks only every 30 s otherwise, and a limit of 10 s would mean 40.
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, headersTimeout / 4)),
      // Ours answers with a problem.
      requireHostHeader: false,
    },
    handler,
  )
  server.on('connection', (socket) => places.enter(socket))
  server.timeout = Math.max(socketIdleMs, 2 * requestTimeout)
  // Node's own answer has no id and no problem, and is not noticed.
  server.on('checkExpectation', handler)
  server.on('connect', createConnectHandler(inFlight, parts.observe))
  server.on('clientError', createClientErrorHandler(inFlight, parts.observe))
  return server
}

async function closeServer(
  server: Server,
  open: { readonly inFlight: LinkedList<Exchange>; readonly sockets: ReadonlySet<Socket> },
  withinMs: number,
  observe: ObserveHttp,
): Promise<void> {
  const startedAt = performance.now()
  let destroyed = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  const busy = new Set<Socket>()
  for (const { req, res } of open.inFlight) {
    busy.add(req.socket)
    if (!res.headersSent) res.setHeader('Connection', 'close')
  }
  // Node's closeIdleConnections passes over connections that have not sent a byte yet.
  for (const socket of open.sockets) if (!busy.has(socket)) socket.destroySoon()
  const timer = setTimeout(() => {
    destroyed = open.inFlight.size
    for (const socket of open.sockets) socket.destroy()
  }, withinMs)
  await promise
  clearTimeout(timer)
  observe({ type: 'http.closed', tookMs: performance.now() - startedAt, destroyed })
}
