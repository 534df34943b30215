import { AsyncResource } from 'node:async_hooks'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { maskAddress } from '../../config/mask.ts'
import type { Settings } from '../../config/settings.ts'
import { LinkedList } from '../../database/work/linked-list.ts'
import { HoldfastError } from '../../errors.ts'
import { requestIdOf, sendError, sentErrorOf } from './answers.ts'
import { type App, createApp, dispatch, routeOf, type TranslateError } from './app.ts'
import { defaultReadLimits, endStalled, type ReadLimits, settle, watch } from './backpressure.ts'
import { createBatches } from './batches.ts'
import { callerNameOf } from './caller-name.ts'
import { createClientErrorHandler, createConnectHandler } from './client-error.ts'
import { ConnectionLimit } from './connection-limit.ts'
import { CrossOrigin } from './cors.ts'
import { type Exchange, requestIdFor } from './exchange.ts'
import { FastResponse } from './fast-response.ts'
import { type ListenAddress, ListenError, listenOn } from './listen.ts'
import { noteMount } from './mount.ts'
import type { ObserveHttp } from './observation.ts'
import { PipelineQueue } from './pipeline-queue.ts'
import { checkRequest } from './request-check.ts'

/** The dependencies of the HTTP server. */
export interface HttpParts {
  /** Read for each request, so a reload changes the URL limit; limits of sockets need a restart. */
  readonly settings: () => Pick<Settings, 'http'>
  /** Proxies in front whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: () => number
  readonly observe: ObserveHttp
  /** Adds the routes; the first match responds. */
  readonly routes: (app: App) => void
  /** Turns an error that an application's handler threw into the one that its client receives. */
  readonly translateError?: TranslateError
  /** How slowly a client may read a response before its connection is destroyed. */
  readonly readLimits?: ReadLimits
}

/** The HTTP server of the service. Opens nothing before `listen`. */
export interface Http {
  /** Responds to every request; never rejects. For Polka, Express and `node:http`. */
  readonly handler: RequestListener
  /** Binds; `problem` is set if it could not bind the requested host. Rejects with `ListenError` if the port is taken or forbidden, or the server is already listening or closed. */
  listen(at: { readonly port: number; readonly host: string }): Promise<ListenAddress>
  /** Stops accepting, finishes requests in flight, and destroys the rest after the limit. Safe to call twice and before `listen`. */
  close(options: { readonly withinMs: number }): Promise<void>
}

/** A client that neither sends nor reads for this long is gone. Longer than any request may take. */
const socketIdleMs = 120_000

/** Creates the server; opens nothing. */
export function createHttp(parts: HttpParts): Http {
  const app = createApp(parts.translateError)
  parts.routes(app)
  const inFlight = new LinkedList<Exchange>()
  const connections = createConnectionLimit(parts)
  const crossOrigin = new CrossOrigin(() => parts.settings().http.corsOrigins)
  let server: Server | null = null
  let closed: Promise<void> | null = null
  const carryOut = ({ req, res, url }: Exchange) => {
    // Its body broke while it was queued, and the error was sent.
    if (res.writableEnded) return
    if (closed !== null && !res.headersSent) res.setHeader('Connection', 'close')
    req.url = url
    crossOrigin.apply(req, res, () => {
      try {
        checkRequest(req, parts.settings().http.urlLimitBytes)
      } catch (error) {
        return sendError(req, res, error)
      }
      dispatch(app, req, res)
    })
  }
  const start = createBatches(carryOut)
  const endAll = (socket: Socket) => {
    for (const exchange of [...inFlight]) if (exchange.req.socket === socket) exchange.end()
  }
  const handler: RequestListener = (req, res) => {
    noteMount(req)
    const queue = PipelineQueue.of(req.socket, start, endAll)
    connections.markBusy(req.socket)
    queue.add(begin(parts, { inFlight, queue, connections }, req, res))
  }
  return {
    handler,
    async listen({ port, host }) {
      if (server !== null || closed !== null) {
        throw new ListenError('LISTEN_FAILED', 'The service is already listening, or was closed.')
      }
      server = createNodeServer(parts, handler, inFlight, connections)
      try {
        const address = await listenOn(server, port, host)
        server.once('close', endStalled(inFlight, parts.readLimits ?? defaultReadLimits))
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
          : closeServer(server, { inFlight, sockets: connections.open }, withinMs, parts.observe)
      return closed
    },
  }
}

/** Assigns the request id and the common headers, and observes the end of the response. */
function begin(
  parts: HttpParts,
  {
    inFlight,
    queue,
    connections,
  }: {
    readonly inFlight: LinkedList<Exchange>
    readonly queue: PipelineQueue
    readonly connections: ConnectionLimit
  },
  req: IncomingMessage,
  res: ServerResponse,
): Exchange {
  const startedAt = performance.now()
  const url = req.url ?? '/'
  const end = () => {
    if (!inFlight.remove(node)) return
    settle(res)
    observeEnd(parts.observe, exchange, pathOf(url), performance.now() - startedAt)
    queue.next()
    if (queue.isEmpty) connections.markIdle(req.socket)
  }
  const exchange: Exchange = { req, res, url, context: new AsyncResource('HoldfastRequest'), end }
  const node = inFlight.add(exchange)
  watch(res)
  if (res instanceof FastResponse) {
    res.requestId = requestIdFor(req)
  } else {
    res.setHeader('X-Request-Id', requestIdFor(req))
    res.setHeader('X-Content-Type-Options', 'nosniff')
  }
  res.on('close', end)
  return exchange
}

/**
 * The path for the log: without the query, which may hold private data, and without the credentials that the absolute
 * form of a request target may have.
 */
function pathOf(url: string): string {
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  if (path.startsWith('/')) return path.includes('@') ? maskAddress(path) : path
  if (path === '*') return path
  const [, absolute] = /^[a-z][a-z0-9+.-]*:\/\/[^/#]*([^#]*)$/i.exec(path) ?? []
  return absolute === undefined || absolute.includes('@') ? '(invalid)' : absolute || '/'
}

function observeEnd(observe: ObserveHttp, { req, res }: Exchange, path: string, durationMs: number): void {
  const requestId = requestIdOf(res) ?? ''
  const method = req.method ?? ''
  const route = routeOf(req)
  const error = sentErrorOf(res)
  if (error !== undefined && isServerFault(error)) {
    const code = error instanceof HoldfastError ? error.code : 'INTERNAL_ERROR'
    observe({ type: 'request.failed', requestId, method, route, code, error })
  }
  const aborted = !res.writableFinished
  const [status, caller] = [res.statusCode, callerNameOf(req)]
  observe({ type: 'request.answered', requestId, method, path, route, caller, status, durationMs, aborted })
}

/** True if the log needs the cause, because the client is not at fault. */
function isServerFault(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return true
  return error.code === 'INTERNAL_ERROR' || (error.status >= 500 && error.cause !== undefined)
}

function createConnectionLimit({ settings, trustedProxies, observe }: HttpParts): ConnectionLimit {
  const limit = settings().http.maxConnections
  const perAddress = trustedProxies() > 0 ? null : Math.ceil(limit / 2)
  return new ConnectionLimit({ all: limit, perAddress }, () => observe({ type: 'connection.dropped', limit }))
}

function createNodeServer(
  parts: HttpParts,
  handler: RequestListener,
  inFlight: Iterable<Exchange>,
  connections: ConnectionLimit,
): Server {
  const limits = parts.settings().http
  const headersTimeout = limits.headersTimeoutS * 1000
  const requestTimeout = limits.requestTimeoutS * 1000
  const server = createServer(
    {
      ServerResponse: FastResponse,
      maxHeaderSize: limits.headerLimitBytes,
      headersTimeout: Math.min(headersTimeout, requestTimeout),
      requestTimeout,
      keepAliveTimeout: limits.keepAliveTimeoutS * 1000,
      // Node checks only every 30 s by default, which would turn a limit of 10 s into 40 s.
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, headersTimeout / 4)),
      // `checkRequest` rejects such requests with an error of the catalogue.
      requireHostHeader: false,
    },
    handler,
  )
  server.on('connection', (socket) => connections.add(socket))
  server.timeout = Math.max(socketIdleMs, 2 * requestTimeout)
  // Node's own response has no request id and no error code, and is not observed.
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
  // Node's closeIdleConnections skips connections that have not sent a byte yet.
  for (const socket of open.sockets) if (!busy.has(socket)) socket.destroySoon()
  const timer = setTimeout(() => {
    destroyed = open.inFlight.size
    for (const socket of open.sockets) socket.destroy()
  }, withinMs)
  await promise
  clearTimeout(timer)
  observe({ type: 'http.closed', tookMs: performance.now() - startedAt, destroyed })
}
