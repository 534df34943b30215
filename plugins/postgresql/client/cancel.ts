import type { Socket } from 'node:net'
import pg, { type PoolConfig } from 'pg'
import type { Evictable } from '../../../src/driver/kit/driver-kit.ts'
import { guardMessages } from './framing.ts'

/** The server's identification of a connection. */
export interface ConnectionKey {
  readonly processId: number
  readonly secretKey: number
}

/** How the connection was made. */
export interface CancelConfig extends Pick<PoolConfig, 'host' | 'port' | 'ssl' | 'stream'> {
  /** Holds the request as long as its socket is open. */
  readonly clients: Set<Evictable>
}

/** The caller has left already: a server that does not answer is not waited for. */
const cancelMs = 1_000

/** Members of pg's connection that its types leave out, as version 8.23 has them. */
interface Internals {
  readonly stream: Socket
  connect(portOrPath: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
  on(event: 'error', listener: (error: Error) => void): void
  once(event: 'connect' | 'sslconnect' | 'end', listener: () => void): void
}

/**
 * Asks the server to stop what a connection runs whose caller has left, on a connection of its own and as encrypted as
 * that one. A reset alone is noticed only when the statement has something to say: until then it holds its locks and its
 * place among the server's connections. However late, it can hit no other client: the key is that connection's alone, and
 * dies with it. Whether it was done is not reported. Never throws.
 */
export function cancelStatement(config: CancelConfig, { processId, secretKey }: ConnectionKey): void {
  const { host = '', port = 5432, ssl = false, stream, clients } = config
  const connection = new pg.Connection({ ssl, stream } as pg.ConnectionConfig) as unknown as Internals // See `Internals`.
  guardMessages(connection)
  const request: Evictable = { evict: () => void connection.stream.destroy() }
  const timer = setTimeout(() => request.evict(), cancelMs)
  clients.add(request)
  connection.once('end', () => {
    clearTimeout(timer)
    clients.delete(request)
  })
  connection.on('error', () => request.evict())
  const ask = (): void => connection.cancel(processId, secretKey)
  connection.once('connect', () => (ssl === false ? ask() : connection.requestSsl()))
  connection.once('sslconnect', ask)
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
  else connection.connect(port, host)
}
