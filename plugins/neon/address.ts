import type { Address, Parsed } from '../../src/driver/address.ts'
import type { Host, Problem, Settings, Severity } from '../../src/driver/kit/driver-kit.ts'
import { parseAddress as parsePostgresql } from '../postgresql/address.ts'
import { databaseId, defaultPort, type PostgresqlTarget } from '../postgresql/target.ts'
import type { NeonProblemCode } from './codes.ts'
import { readProxy } from './proxy.ts'
import { type Endpoint, endpointOf, type NeonTarget, outerPort, urlOf, webSocketPort } from './target.ts'

type Tell = (
  code: NeonProblemCode | 'POSTGRESQL_PARAMETER_UNNEEDED',
  severity: Severity,
  part: string | null,
  message: string,
  suggestion: string,
) => void

/** The address as PostgreSQL's, which it is but for the way there. Pure, total. */
export function parseAddress(address: Address, settings: Settings): Parsed<NeonTarget> {
  const parsed = parsePostgresql(address, ownSettings(settings))
  const problems: Problem[] = parsed.problems.filter((problem) => !isAboutMode(problem)).map(asOwn)
  const tell: Tell = (code, severity, part, message, suggestion) => {
    const { setting, origin } = address
    const place = code === 'NEON_WS_PROXY' ? { setting: 'plugins.neon.wsProxy', origin: null } : { setting, origin }
    problems.push({ code, severity, ...place, part, message, suggestion })
  }
  const reading = readProxy(settings)
  if ('defect' in reading) tell('NEON_WS_PROXY', 'error', null, reading.defect.message, reading.defect.suggestion)
  if (parsed.target !== undefined && 'proxy' in reading) {
    const target = throughWebSocket(parsed.target, reading.proxy, tell)
    if (target !== null && !problems.some(({ severity }) => severity === 'error')) return { target, problems }
  }
  const [first, ...more] = problems
  if (first === undefined) throw new Error('unreachable: what is not usable has a problem')
  return { problems: [first, ...more] }
}

/** PostgreSQL's reader finds our settings where it looks for its own. Behind a proxy that is not ours nothing lasts. */
function ownSettings(settings: Settings): Settings {
  const own = settings.plugins?.neon ?? {}
  return { ...settings, plugins: { ...settings.plugins, postgresql: { ...own, pooled: 'yes' } } }
}

/** Which of the TLS modes is meant does not matter: a WebSocket has the strictest one, or none, which is said. */
function isAboutMode({ code, severity }: Problem): boolean {
  return code === 'POSTGRESQL_TLS_MODE' && severity !== 'error'
}

/** What is written as one of PostgreSQL's is corrected to one of ours. */
export function asOwn(problem: Problem): Problem {
  const own = (text: string): string =>
    text
      .replaceAll('postgresql:', 'neon+https:')
      .replaceAll(`:${defaultPort}/`, '/')
      .replaceAll('POSTGRESQL_SSL_', 'NEON_SSL_')
  return { ...problem, message: own(problem.message), suggestion: own(problem.suggestion) }
}

function throughWebSocket(given: PostgresqlTarget, proxy: Endpoint | null, tell: Tell): NeonTarget | null {
  const isOpen = ({ host, port }: Host): boolean =>
    !host.startsWith('/') && URL.canParse(urlOf(endpointOf(proxy, { host, port })))
  if (!given.hosts.every(isOpen)) {
    const message = 'A WebSocket is opened to a host name or an address, not to a Unix socket or an interface.'
    tell('NEON_HOST', 'error', 'host', message, 'Write the host that Neon shows, ep-name-id.region.aws.neon.tech.')
    return null
  }
  const isSecure = proxy?.isSecure ?? true
  tellTls(given, isSecure, tell)
  const [first, ...more] = given.hosts
  const hosts = [inner(first), ...more.map(inner)] as const
  const mode = isSecure ? 'verify-full' : 'disable'
  return {
    ...given,
    driver: 'neon',
    id: databaseId(hosts, given.database),
    port: proxy === null ? outerPort(first.port) : first.port,
    hosts,
    tls: mode,
    encryption: { ...given.encryption, mode },
    channelBinding: 'disable',
    proxy,
  }
}

/** The WebSocket has TLS with the strictest meaning, or none: whoever asked for another one is told. */
function tellTls({ encryption, channelBinding }: PostgresqlTarget, isSecure: boolean, tell: Tell): void {
  const { mode } = encryption
  const isBound = channelBinding === 'require'
  if (!isSecure && (isBound || mode === 'require' || mode === 'verify-ca' || mode === 'verify-full')) {
    const part = isBound ? 'channel_binding' : encryption.rootCertificate === null ? 'sslmode' : 'sslrootcert'
    const message = `The address asks for TLS with ${part}, and NEON_WS_PROXY names a WebSocket without.`
    tell('NEON_TLS', 'error', part, message, `Write wss:// in NEON_WS_PROXY, or take ${part} away.`)
    return
  }
  if (isSecure && mode === 'disable') {
    const why = 'A WebSocket has TLS, and the certificate and the name of its host are verified.'
    const message = `The parameter "sslmode" has no meaning here. ${why}`
    tell('POSTGRESQL_PARAMETER_UNNEEDED', 'warning', 'query', message, 'Take "sslmode" away.')
  }
  if (isBound) {
    const why = 'A password cannot be bound to the TLS of a WebSocket; its certificate is verified in any case.'
    const message = `The parameter "channel_binding" has no meaning here. ${why}`
    tell('POSTGRESQL_PARAMETER_UNNEEDED', 'info', 'query', message, 'Take "channel_binding" away.')
  }
}

/** The same database has the same port, whichever way leads to it. */
function inner({ host, port }: Host): Host {
  return { host, port: port === webSocketPort ? defaultPort : port }
}
