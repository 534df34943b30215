import type { ConnectionOptions } from 'mysql2'
import type { Evictable, Secret } from '../../../src/driver/kit/driver-kit.ts'
import type { TlsOptions } from '../tls.ts'
import type { ServerFacts } from './session.ts'

/** What a client is made with. */
export interface SafeClientConfig {
  /** A name, an address, or the file of a Unix socket (it begins with `/`). */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret | null
  readonly database: string
  readonly tls: TlsOptions | null
  /** One connection attempt, until the session is as it must be. */
  readonly connectMs: number
  /** One statement. */
  readonly queryMs: number
  /** An idle transaction, which the server ends where it can. */
  readonly transactionMs: number
  /** What is known of the server, shared by all clients of one place. */
  readonly server: ServerFacts
  /** Holds the client as long as its socket is open. */
  readonly clients: Set<Evictable>
}

/** Prepared statements of one connection; the one that was not used for longest is closed first. */
const preparedMax = 256

/** What mysql2 is given for one connection. */
export function optionsOf({ host, port, user, password, database, tls }: SafeClientConfig): ConnectionOptions {
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    user,
    password: password?.reveal() ?? '',
    database,
    // Made anew for each connection: with a resumed session of TLS there would be no certificate to look at.
    ...(tls === null ? {} : { ssl: sslOf(tls) }),
    // The limit of the whole attempt is our own.
    connectTimeout: 0,
    keepAliveInitialDelay: 10_000,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    // Texts are parsed by MikroORM's types and by the collections, so that no digit is lost on the way.
    dateStrings: true,
    supportBigNumbers: true,
    jsonStrings: true,
    stringifyObjects: true,
    maxPreparedStatements: preparedMax,
    // No file of this machine for a server that asks, and no word that is one only without a blank behind it.
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
  }
}

function sslOf({ rejectUnauthorized, ca, cert, key }: TlsOptions): NonNullable<ConnectionOptions['ssl']> {
  return {
    rejectUnauthorized,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}
