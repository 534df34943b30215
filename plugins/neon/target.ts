import type { Host } from '../../src/driver/kit/driver-kit.ts'
import { defaultPort, type PostgresqlTarget } from '../postgresql/target.ts'

/** Where a WebSocket is opened. */
export interface Endpoint {
  /** False: `ws:`. */
  readonly isSecure: boolean
  /** Host, port, path and query, as they stand in a URL after the two slashes. */
  readonly place: string
}

/** A validated address of a PostgreSQL behind a WebSocket. */
export interface NeonTarget extends PostgresqlTarget {
  /** Null: the host itself takes WebSockets, as Neon's do. */
  readonly proxy: Endpoint | null
}

/** The port of a secure WebSocket where the address names none, or that of PostgreSQL itself. */
export const webSocketPort = 443

/**
 * Neon takes WebSockets at the host of the database, under `/v2`. A proxy is told which database is meant, as Neon's
 * own client tells it.
 */
export function endpointOf(proxy: Endpoint | null, { host, port }: Host): Endpoint {
  const name = host.includes(':') ? `[${host}]` : host
  if (proxy === null) return { isSecure: true, place: `${name}:${outerPort(port)}/v2` }
  const { isSecure, place } = proxy
  return { isSecure, place: `${place}${place.includes('?') ? '&' : '?'}address=${name}:${port}` }
}

/** An address that was made for PostgreSQL names its port, which is not the one that is open. */
export function outerPort(port: number): number {
  return port === defaultPort ? webSocketPort : port
}

/** `wss://...`, as a URL has it. */
export function urlOf({ isSecure, place }: Endpoint): string {
  return `${isSecure ? 'wss' : 'ws'}://${place}`
}
