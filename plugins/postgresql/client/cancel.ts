import type { Socket } from 'node:net'
import pg, { type PoolConfig } from 'pg'
import { guardMessages } from './framing.ts'

/** What a pool has to end before it is closed. */
export interface Held {
  /** True while the server has not yet let it in. */
  readonly isConnecting: boolean
  /** Ends it now. Never throws. Safe to call twice. */
  evict(): void
}

/** What a server knows a connection by. */
export interface ConnectionKey {
  readonly processId: number
  readonly secretKey: number
}

/** How the connection was made, and where whatever is open is noted. */
export interface CancelConfig extends Pick<PoolConfig, 'host' | 'port' | 'ssl' | 'stream'> {
  readonly clients: Set<Held>
}

/** Whoever asks has left already: a server that does not listen is not waited for. */
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
 * place among the server's connections. It can hit nobody else, however late it is: the key is that connection's alone,
 * and dies with it. Nobody hears whether it was done. Never throws.
 */
export function cancelStatement(config: CancelConfig, { processId, secretKey }: ConnectionKey): void {
  const { host = '', port = 5432, ssl = false, stream, clients } = config
  const connection = new pg.Connection({ ssl, stream } as pg.ConnectionConfig) as unknown as Internals // See `Internals`.
  guardMessages(connection)
  const held: Held = { isConnecting: false, evict: () => void connection.stream.destroy() }
  const timer = setTimeout(() => held.evict(), cancelMs)
  clients.add(held)
  connection.once('end', () => {
    clearTimeout(timer)
    clients.delete(held)
  })
  connection.on('error', () => held.evict())
  const ask = (): void => connection.cancel(processId, secretKey)
  connection.once('connect', () => (ssl === false ? ask() : connection.requestSsl()))
  connection.once('sslconnect', ask)
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
  else connection.connect(port, host)
}
