import type { Address, Parsed } from '../../../src/driver/address.ts'
import {
  type AddressDialect,
  formatHost,
  type Host,
  parseWith,
  type Report,
  readTarget,
  reportUnused,
  type Settings,
} from '../../../src/driver/kit/driver-kit.ts'
import { createDialect } from '../../postgresql/address/dialect.ts'
import type { PostgresqlOptions } from '../../postgresql/address/parameters.ts'
import { databaseId, defaultPort, type PostgresqlTarget } from '../../postgresql/address/target.ts'
import type { neonProblems } from '../codes.ts'
import { readProxy } from './proxy.ts'
import { type Endpoint, endpointOf, type NeonTarget, outerPort, urlOf, webSocketPort } from './target.ts'

/** An address of PostgreSQL with a scheme, a port and settings of its own. */
export const dialect: AddressDialect<PostgresqlOptions, PostgresqlTarget> = {
  ...createDialect('neon', 'neon+https', 'NEON'),
  defaultPort: webSocketPort,
  fillIn: null,
  formatHost: ({ host, port }) => formatHost({ host, port: outerPort(port) }, webSocketPort),
}

/** The address as a target, or problems. Pure, total. */
export function parseAddress(address: Address, settings: Settings): Parsed<NeonTarget> {
  return parseWith<NeonTarget, keyof typeof neonProblems>('neon', address, (report) => {
    // Which TLS mode is meant does not matter: a WebSocket has the strictest one, or none, which is reported below.
    const withoutModes: Report = (code, severity, ...more) => {
      const isAboutMode = code === 'ADDRESS_TLS_CONFLICT' || code === 'ADDRESS_TLS_IMPLIED'
      if (!isAboutMode || severity === 'error') report(code, severity, ...more)
    }
    const target = readTarget(dialect, address, settings, withoutModes)
    const reading = readProxy(settings)
    if ('defect' in reading) {
      const { message, suggestion } = reading.defect
      const at = { setting: 'plugins.neon.wsProxy', origin: null }
      report('NEON_PROXY_INVALID', 'error', null, message, suggestion, at)
      return null
    }
    return target === null ? null : throughWebSocket(target, reading.proxy, report)
  })
}

function throughWebSocket(given: PostgresqlTarget, proxy: Endpoint | null, report: Report): NeonTarget | null {
  const isUsable = (host: Host): boolean => !host.host.startsWith('/') && URL.canParse(urlOf(endpointOf(proxy, host)))
  const [first, ...more] = given.hosts
  const hosts = [inner(first), ...more.map(inner)] as const
  if (!hosts.every(isUsable)) {
    const message = 'A WebSocket needs a host name or an IP address, not a Unix socket or a network interface.'
    const remedy = 'Write the host that Neon shows, ep-name-id.region.aws.neon.tech.'
    report('ADDRESS_HOST_INVALID', 'error', 'host', message, remedy)
    return null
  }
  const isSecure = proxy?.isSecure ?? true
  reportTls(given, isSecure, report)
  const mode = isSecure ? 'verify-full' : 'disable'
  return {
    ...given,
    id: databaseId(hosts, given.database),
    port: proxy === null ? outerPort(first.port) : hosts[0].port,
    hosts,
    tls: mode,
    encryption: { ...given.encryption, mode },
    channelBinding: 'disable',
    // Behind a proxy that is not ours no session state lasts.
    pooled: 'yes',
    proxy,
  }
}

/** The WebSocket has TLS in the strictest mode, or none; an address that asks for another mode gets a problem. */
function reportTls({ encryption, channelBinding }: PostgresqlTarget, isSecure: boolean, report: Report): void {
  const { mode } = encryption
  const isBound = channelBinding === 'require'
  if (!isSecure && (isBound || mode === 'require' || mode === 'verify-ca' || mode === 'verify-full')) {
    const part = isBound ? 'channel_binding' : encryption.authority === null ? 'sslmode' : 'sslrootcert'
    const message = `The address asks for TLS with ${part}, but NEON_WS_PROXY names a WebSocket without TLS.`
    report('ADDRESS_TLS_CONFLICT', 'error', part, message, `Write wss:// in NEON_WS_PROXY, or remove ${part}.`)
    return
  }
  if (isSecure && mode === 'disable') {
    const reason = 'The WebSocket always uses TLS and verifies the certificate and the name of its host.'
    reportUnused(report, 'warning', 'sslmode', reason)
  }
  if (isBound) {
    const reason = 'A password cannot be bound to the TLS of a WebSocket, whose certificate is verified in any case.'
    reportUnused(report, 'info', 'channel_binding', reason)
  }
}

/** The port inside the WebSocket: the same for the same database, whichever way leads to it. */
function inner({ host, port }: Host): Host {
  return { host, port: port === webSocketPort ? defaultPort : port }
}
