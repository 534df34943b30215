import { type Host, loadTls, pinnedSocket, type TlsMaterial, tlsOrder } from '../../../src/driver/kit/driver-kit.ts'
import { dialect } from '../address/dialect.ts'
import type { PostgresqlTarget } from '../address/target.ts'
import type { SafeClientConfig } from './client.ts'

/** One way to reach a host, as part of the configuration of a client. */
export interface Way extends Pick<SafeClientConfig, 'requiresBinding' | 'stream'> {
  readonly ssl: TlsMaterial | false
  readonly enableChannelBinding: boolean
}

/** The ways to reach a host in the order to try them, at least one. @throws FaultError where a file cannot be read. */
export type FindWays<T extends PostgresqlTarget = PostgresqlTarget> = (target: T, host: Host) => Promise<readonly Way[]>

/** By TCP or a Unix socket, with TLS as the address wants it. */
export const tcpWays: FindWays = async ({ encryption, channelBinding }, { host, address }) => {
  // A Unix socket has no TLS, whatever the mode: it cannot be tapped.
  const order = host.startsWith('/') ? [false] : tlsOrder(encryption.mode)
  const files = order.includes(true) ? await loadTls(dialect.tls, encryption, host) : false
  return order.map((isEncrypted) => {
    const ssl = isEncrypted ? files : false
    const enableChannelBinding = channelBinding !== 'disable' && ssl !== false
    const stream = address === undefined ? {} : { stream: () => pinnedSocket(address) }
    return { ssl, enableChannelBinding, requiresBinding: channelBinding === 'require', ...stream }
  })
}
