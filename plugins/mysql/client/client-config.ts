import { createConnection, type Socket } from 'node:net'
import type { ConnectionOptions } from 'mysql2'
import type { Evictable, Secret, TlsMaterial } from '../../../src/driver/kit/driver-kit.ts'
import type { ServerFacts } from './session.ts'

/** The options of a client. */
export interface SafeClientConfig {
  /** A name, an address, or the file of a Unix socket (it begins with `/`). */
  readonly host: string
  readonly port: number
  /** As `Host.address`. */
  readonly address?: string
  readonly user: string
  readonly password: Secret | null
  readonly database: string
  readonly tls: TlsMaterial | null
  /** One connection attempt, until the session is as it must be. */
  readonly connectMs: number
  /** One statement. */
  readonly queryMs: number
  /** An idle transaction, which the server ends where it can. */
  readonly transactionMs: number
  /** What is known of the server, shared by all clients of one host. */
  readonly server: ServerFacts
  /** Holds the client as long as its socket is open. */
  readonly clients: Set<Evictable>
}

/** How long a connection may be silent before the system asks whether the other side is still there. */
const keepAliveMs = 10_000

/** Prepared statements of one connection; the one unused for longest is closed first. */
const preparedMax = 256

/** The options of mysql2 for one connection. */
export function optionsOf({ host, port, address, user, password, database, tls }: SafeClientConfig): ConnectionOptions {
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    ...(address === undefined ? {} : { stream: () => streamTo(address, port) }),
    user,
    password: password?.reveal() ?? '',
    database,
    // A new object for each connection: a resumed session of TLS would have no certificate to check.
    ...(tls === null ? {} : { ssl: sslOf(tls) }),
    // The client itself limits the whole attempt.
    connectTimeout: 0,
    keepAliveInitialDelay: keepAliveMs,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    // MikroORM's types and the collections parse texts, so that no digit is lost.
    dateStrings: true,
    supportBigNumbers: true,
    jsonStrings: true,
    stringifyObjects: true,
    maxPreparedStatements: preparedMax,
    // No server may ask for a file of this machine, and a function's name may be followed by a blank.
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
  }
}

/** Who the certificate is for is checked by `guardConnection`. */
function sslOf({
  name: _name,
  checkServerIdentity: _check,
  ...ssl
}: TlsMaterial): NonNullable<ConnectionOptions['ssl']> {
  return ssl
}

/** As mysql2 opens its own. */
function streamTo(host: string, port: number): Socket {
  return createConnection({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs })
}
