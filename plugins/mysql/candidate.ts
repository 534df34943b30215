import type { Candidate, Limits } from '../../src/driver/driver.ts'
import {
  type Host,
  isolatedOrmOptions,
  labelOfHost,
  loadTls,
  type OrmOptions,
  ServerCandidate,
  ServerEngine,
  type TlsMaterial,
  tlsOrder,
} from '../../src/driver/kit/driver-kit.ts'
import { dialect } from './address/dialect.ts'
import { formatHost, type MysqlTarget } from './address/target.ts'
import { attemptsOf } from './attempts.ts'
import { SafeClient } from './client/client.ts'
import type { SafeClientConfig } from './client/client-config.ts'
import { SafePool } from './client/pool.ts'
import { unknownServer } from './client/session.ts'
import { createDriverClass } from './connection.ts'
import { faults } from './faults.ts'
import { feedOf } from './feed.ts'
import { standingOf } from './membership.ts'
import { collationOf } from './platform.ts'
import { replayOf } from './replay.ts'
import { schemaLockOf } from './schema-lock.ts'
import { verifyServer } from './verify.ts'

/** One for each host, in the order to try them. Opens nothing. */
export function createCandidates(target: MysqlTarget, limits: Limits): readonly Candidate[] {
  return target.hosts.map((host) => createCandidate(target, host, limits))
}

function createCandidate(target: MysqlTarget, host: Host, limits: Limits): Candidate {
  const server = unknownServer()
  const clientConfig = (tls: TlsMaterial | null, connectMs: number): SafeClientConfig => {
    const { user, database, password, connectMs: ownMs } = target
    const { queryMs, transactionMs } = limits
    const own = { connectMs: Math.min(connectMs, ownMs ?? connectMs), queryMs, transactionMs }
    return { ...host, user, password, database, tls, ...own, server, clients: new Set() }
  }
  return new ServerCandidate<TlsMaterial | null, SafeClient>({
    label: `mysql ${labelOfHost(formatHost(host), host)}/${target.database}`,
    ways: () => findWays(target, host),
    createClient: (tls) => new SafeClient(clientConfig(tls, limits.connectMs)),
    connect: (client) => client.connect(),
    // Where the mode leaves it open.
    mayTryNext: (error) => faults.classify(error, 'open').kind === 'tls',
    verify: (client, want) => verifyServer(client, target, want),
    standing: standingOf,
    engine: (way, { version }) =>
      new ServerEngine<SafePool>({
        ormOptions(use) {
          const isMariaDb = version === '' || /mariadb/i.test(version)
          const driver = createDriverClass(isMariaDb, () => {
            const pool = new SafePool({
              config: clientConfig(way(), Math.min(limits.connectMs, limits.queryMs)),
              limits,
              isMariaDb,
            })
            use(pool)
            return pool
          })
          const { host: name, port } = host
          const own = {
            driver,
            dbName: target.database,
            host: name,
            port,
            user: target.user,
            multipleStatements: false,
          }
          const words = { charset: 'utf8mb4', collate: collationOf(version) }
          return isolatedOrmOptions({ ...own, ...words } as OrmOptions, limits.echo) // The class is one of many to its type.
        },
        schemaLock: schemaLockOf,
        attempts: attemptsOf,
        replay: (pool) => replayOf(pool, version),
        feed: feedOf,
      }),
  })
}

/** With TLS as the address asks, null without. A Unix socket cannot be tapped. */
async function findWays({ encryption }: MysqlTarget, { host }: Host): Promise<readonly (TlsMaterial | null)[]> {
  const order = host.startsWith('/') ? [false] : tlsOrder(encryption.mode)
  const files = order.includes(true) ? await loadTls(dialect.tls, encryption, host) : null
  return order.map((isEncrypted) => (isEncrypted ? files : null))
}
