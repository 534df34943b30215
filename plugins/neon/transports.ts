import type { Duplex } from 'node:stream'
import type { Candidate, Limits } from '../../src/driver/driver.ts'
import { createCandidates } from '../postgresql/candidate.ts'
import type { FindWays } from '../postgresql/client/transports.ts'
import { loadTls } from '../postgresql/tls.ts'
import { NeonSocket } from './socket.ts'
import { endpointOf, type NeonTarget, urlOf } from './target.ts'

/** PostgreSQL's own, each through WebSockets. Opens nothing. */
export function createWebSocketCandidates(target: NeonTarget, limits: Limits): readonly Candidate[] {
  return createCandidates(target, limits, byWebSocket)
}

/** One way: TLS is that of the WebSocket, and none is inside it. */
const byWebSocket: FindWays<NeonTarget> = async ({ proxy, encryption }, host) => {
  const endpoint = endpointOf(proxy, host)
  const name = new URL(urlOf(endpoint)).hostname.replace(/^\[|\]$/g, '')
  const tls = endpoint.isSecure ? await loadTls(encryption, name) : {}
  // pg uses of a stream what Neon's class has.
  const stream = () => new NeonSocket(endpoint, tls) as unknown as Duplex
  return [{ ssl: false, enableChannelBinding: false, requiresBinding: false, stream }]
}
