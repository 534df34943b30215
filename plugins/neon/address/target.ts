import type { Host } from '../../../src/driver/kit/driver-kit.ts'
import { defaultPort, type PostgresqlTarget } from '../../postgresql/address/target.ts'

/** The address of a WebSocket. */
export interface Endpoint {
  /** False: `ws:`. */
  readonly isSecure: boolean
  /** Host, port, path and query: what follows the two slashes of a URL. */
  readonly place: string
}

/** A validated address of PostgreSQL behind a WebSocket. */
export interface NeonTarget extends PostgresqlTarget {
  /** Null: the host itself accepts WebSockets, as Neon's do. */
  readonly proxy: Endpoint | null
}

/** The default port; it also replaces PostgreSQL's own. */
export const webSocketPort = 443

/** Neon accepts WebSockets at the host of the database, under `/v2`; a proxy gets that host as a parameter, as from Neon's own client. */
export function endpointOf(proxy: Endpoint | null, { host, port }: Host): Endpoint {
  const name = host.includes(':') ? `[${host}]` : host
  if (proxy === null) return { isSecure: true, place: `${name}:${outerPort(port)}/v2` }
  const { isSecure, place } = proxy
  return { isSecure, place: `${place}${place.includes('?') ? '&' : '?'}address=${name}:${port}` }
}

/** An address that was made for PostgreSQL names its port, which does not accept WebSockets. */
export function outerPort(port: number): number {
  return port === defaultPort ? webSocketPort : port
}

/** The URL, `wss://...`. */
export function urlOf({ isSecure, place }: Endpoint): string {
  return `${isSecure ? 'wss' : 'ws'}://${place}`
}
