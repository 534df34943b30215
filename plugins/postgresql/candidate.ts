import type { Candidate, Limits } from '../../src/driver/driver.ts'
import {
  type Evictable,
  type Host,
  isolatedOrmOptions,
  labelOfHost,
  type OrmOptions,
  ServerCandidate,
  ServerEngine,
} from '../../src/driver/kit/driver-kit.ts'
import { formatHost, type PostgresqlTarget, type SessionWish } from './address/target.ts'
import { attemptsOf } from './attempts.ts'
import { SafeClient, type SafeClientConfig } from './client/client.ts'
import { SafePool } from './client/pool.ts'
import { type FindWays, tcpWays, type Way } from './client/transports.ts'
import { createDriverClass } from './connection.ts'
import { engineOf } from './engines.ts'
import { faults } from './faults.ts'
import { feedOf, hasSha256 } from './feed.ts'
import { replayOf } from './replay.ts'
import { schemaLockOf } from './schema-lock.ts'
import { isSynchronous, standingOf } from './standing.ts'
import { verifyServer } from './verify.ts'

/** How long a connection may be silent before the system asks whether the other side is still there. */
const keepAliveMs = 30_000

/**
 * One for each host, in the order to try them; for `prefer-standby` a second round that accepts any. Opens nothing.
 * `findWays` says how a host is reached.
 */
export function createCandidates<T extends PostgresqlTarget>(
  target: T,
  limits: Limits,
  findWays: FindWays<T> = tcpWays,
): readonly Candidate[] {
  const sessions: readonly SessionWish[] = target.session === 'prefer-standby' ? ['standby', 'any'] : [target.session]
  return sessions.flatMap((session, round) => {
    const wished = session === target.session ? target : { ...target, session }
    return target.hosts.map((host) =>
      createCandidate(wished, host, limits, { round, ways: () => findWays(target, host) }),
    )
  })
}

function createCandidate(
  target: PostgresqlTarget,
  host: Host,
  limits: Limits,
  order: { readonly round: number; ways(): Promise<readonly Way[]> },
): Candidate {
  return new ServerCandidate<Way, SafeClient>({
    label: `${target.driver} ${labelOfHost(formatHost(host), host)}/${target.database}`,
    ...order,
    createClient: (way) => new SafeClient(clientConfig(target, host, limits, way, () => target.pooled === 'yes')),
    connect: (client) => client.connect(),
    mayTryNext,
    verify: (client, want) => verifyServer(client, target, want),
    standing: (client) => standingOf(client, target.encryption),
    engine: (way, facts) => {
      const { hasLocks, hasRowVersions } = engineOf(facts.version) ?? { hasLocks: true, hasRowVersions: true }
      return new ServerEngine<SafePool>({
        ormOptions(use) {
          const driver = createDriverClass((types) => {
            const own = clientConfig(target, host, limits, way(), () => pool.isPooled)
            const config = { ...own, types } as SafeClientConfig // pg's own type parsers.
            const pool: SafePool = new SafePool({ config, limits, isPooled: target.pooled === 'yes' || facts.pooled })
            use(pool)
            return pool
          })
          const { host: name, port } = host
          const own = { driver, dbName: target.database, host: name, port, user: target.user ?? undefined }
          return isolatedOrmOptions(own as OrmOptions, limits.echo) // A user may be undefined, whatever its type says.
        },
        ...(hasLocks ? { schemaLock: schemaLockOf } : {}),
        attempts: attemptsOf,
        replay: replayOf,
        ...(hasRowVersions && hasSha256(facts.version) ? { feed: feedOf } : {}),
      })
    },
  })
}

function clientConfig(
  target: PostgresqlTarget,
  { host, port }: Host,
  limits: Limits,
  way: Way,
  isPooled: () => boolean,
): SafeClientConfig {
  const { user, database, password, applicationName, options, connectMs } = target
  const config = {
    host,
    port,
    user: user ?? '',
    database,
    // A function: a value that is missing would be looked for in PGPASSWORD and in files of the user.
    password: () => password?.reveal(),
    ...way,
    sslnegotiation: 'postgres',
    client_encoding: 'utf8',
    application_name: applicationName,
    ...(options === null ? {} : { options }),
    keepAlive: true,
    // The system's own is two hours: firewalls forget a silent connection after minutes, and each of the pool would
    // then cost one caller the whole of QUERY_TIMEOUT.
    keepAliveInitialDelayMillis: keepAliveMs,
    connectionTimeoutMillis: Math.min(limits.connectMs, connectMs ?? limits.connectMs),
    queryMs: limits.queryMs,
    isPooled,
    wantsPrimary: target.session === 'read-write' || target.session === 'primary',
    isSynchronous: () => isSynchronous(target.encryption),
    clients: new Set<Evictable>(),
  }
  return config as unknown as SafeClientConfig // A password may be a function that gives none, whatever the types say.
}

/** Where the mode leaves it open: no TLS there, or a server that accepts only the other way. */
function mayTryNext(error: unknown): boolean {
  const { kind, code } = faults.classify(error, 'open')
  return kind === 'tls' || code === '28000'
}
