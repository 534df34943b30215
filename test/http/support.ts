import type { IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Settings } from '../../src/config/settings.ts'
import type { App } from '../../src/http/server/app.ts'
import type { ReadLimits } from '../../src/http/server/backpressure.ts'
import type { HttpObservation } from '../../src/http/server/observation.ts'
import { createHttp, type Http } from '../../src/http/server/server.ts'
import { type Cleanup, cleanLater } from '../support/temp.ts'

export const httpDefaults: Settings['http'] = {
  port: 0,
  host: '127.0.0.1',
  readiness: 'any',
  shutdownTimeoutS: 1,
  bodyLimitBytes: 10_000,
  bulkLimitBytes: 100_000,
  headerLimitBytes: 16_384,
  urlLimitBytes: 2_048,
  headersTimeoutS: 5,
  requestTimeoutS: 10,
  keepAliveTimeoutS: 5,
  maxConnections: 2_000,
  trustedProxies: null,
  rateLimit: 0,
  readRateLimit: 0,
  tokenRateLimit: 0,
  corsOrigins: [],
  rateLimitWindowS: 60,
  maxActiveSessions: 1_000,
}

export interface Served {
  readonly http: Http
  readonly port: number
  readonly base: string
  readonly observations: HttpObservation[]
}

/** A shell with routes of the test's own on a free port of the loopback interface; closed when the test ends. */
export async function serve(
  t: Cleanup,
  routes: (app: App) => void,
  given: {
    readonly http?: Partial<Settings['http']>
    readonly readLimits?: ReadLimits
  } = {},
): Promise<Served> {
  const observations: HttpObservation[] = []
  const limits = { ...httpDefaults, ...given.http }
  const http = createHttp({
    settings: () => ({ http: limits }),
    trustedProxies: () => limits.trustedProxies ?? 0,
    observe: (seen) => observations.push(seen),
    routes,
    ...(given.readLimits === undefined ? {} : { readLimits: given.readLimits }),
  })
  cleanLater(t, () => http.close({ withinMs: 0 }))
  const { port } = await http.listen({ port: 0, host: '127.0.0.1' })
  return { http, port, base: `http://127.0.0.1:${port}`, observations }
}

/** A raw connection that collects what comes, for what no HTTP client would send. */
export interface RawConnection {
  readonly socket: Socket
  /** Everything received so far. */
  text(): string
  /** Resolves with everything when the other side has closed. */
  readonly closed: Promise<string>
}

export function rawConnect(t: Cleanup, port: number, first: string | Buffer = ''): RawConnection {
  const chunks: Buffer[] = []
  const socket = connect(port, '127.0.0.1')
  const text = () => Buffer.concat(chunks).toString('latin1')
  const closed = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(text()))
  })
  socket.write(first)
  cleanLater(t, () => void socket.destroy())
  return { socket, text, closed }
}

/** The parts of a raw answer. */
export function parseAnswer(text: string): {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
} {
  const at = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, at).split('\r\n')
  const headers: IncomingHttpHeaders = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(at + 4) }
}
