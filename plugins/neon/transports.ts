import type { Duplex } from 'node:stream'
import type { Candidate, Limits } from '../../src/driver/driver.ts'
import { loadTls } from '../../src/driver/kit/driver-kit.ts'
import { createCandidates as createPostgresqlCandidates } from '../postgresql/candidate.ts'
import type { FindWays } from '../postgresql/client/transports.ts'
import { dialect } from './address/address.ts'
import { endpointOf, type NeonTarget, urlOf } from './address/target.ts'
import { NeonSocket } from './socket.ts'

/** The candidates of PostgreSQL, each through WebSockets. Opens nothing. */
export function createCandidates(target: NeonTarget, limits: Limits): readonly Candidate[] {
  return createPostgresqlCandidates(target, limits, byWebSocket)
}

/** One way: the WebSocket has TLS, and the protocol inside it has none. */
const byWebSocket: FindWays<NeonTarget> = async ({ proxy, encryption }, host) => {
  const endpoint = endpointOf(proxy, host)
  const name = new URL(urlOf(endpoint)).hostname.replace(/^\[|\]$/g, '')
  const tls = endpoint.isSecure ? await loadTls(dialect.tls, encryption, name) : {}
  // Neon's class has the members of a stream that pg uses.
  const stream = () => new NeonSocket(endpoint, tls) as unknown as Duplex
  return [{ ssl: false, enableChannelBinding: false, requiresBinding: false, stream }]
}
