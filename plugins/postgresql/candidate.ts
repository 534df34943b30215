import {
  type Candidate,
  type Connection,
  type Evictable,
  type Facts,
  type Host,
  isolatedOrmOptions,
  type Limits,
  type MikroORM,
  type OrmOptions,
} from '../../src/driver/driver.ts'
import { SafeClient, type SafeClientConfig } from './client/client.ts'
import { SafePool } from './client/pool.ts'
import { type FindWays, tcpWays, type Way } from './client/transports.ts'
import { createDriverClass } from './connection.ts'
import { classify } from './faults.ts'
import { PgConnection } from './pg-connection.ts'
import { pools } from './registry.ts'
import { formatHost, type PostgresqlTarget, type SessionWish } from './target.ts'

/** How long a connection may be silent before the system asks whether the other side is still there. */
const keepAliveMs = 30_000

/** After the pool is closed MikroORM has nothing left to wait for. */
const ormCloseMs = 1_000

/**
 * One for each host, in the order to try them; for `prefer-standby` a second round that takes any. Opens nothing.
 * `findWays` says how a host is reached.
 */
export function createCandidates<T extends PostgresqlTarget>(
  target: T,
  limits: Limits,
  findWays: FindWays<T> = tcpWays,
): readonly Candidate[] {
  const sessions: readonly SessionWish[] = target.session === 'prefer-standby' ? ['standby', 'any'] : [target.session]
  return sessions.flatMap((session) =>
    target.hosts.map((host) => new HostCandidate({ ...target, session }, host, limits, () => findWays(target, host))),
  )
}

class HostCandidate implements Candidate {
  readonly label: string
  readonly #target: PostgresqlTarget
  readonly #host: Host
  readonly #limits: Limits
  readonly #findWays: () => Promise<readonly Way[]>
  /** The one that opening found; kept for the ORM that is made afterwards. */
  #way: Way | null = null

  constructor(target: PostgresqlTarget, host: Host, limits: Limits, findWays: () => Promise<readonly Way[]>) {
    this.label = `${target.driver} ${formatHost(host)}/${target.database}`
    this.#target = target
    this.#host = host
    this.#limits = limits
    this.#findWays = findWays
  }

  async open(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted()
    const ways = await this.#findWays()
    for (const [index, way] of ways.entries()) {
      try {
        const client = await this.#connect(way, signal)
        this.#way = way
        return new PgConnection(client, this.#target)
      } catch (error) {
        if (index === ways.length - 1 || !mayTryOtherwise(error)) throw error
      }
    }
    throw new Error('unreachable: each host has a way to it')
  }

  orm(facts: Facts): OrmOptions {
    const isPooled = this.#target.pooled === 'yes' || facts.pooled
    const driver = createDriverClass((types) => {
      // Which way is right only opening finds; another one might be without the TLS that is asked for.
      if (this.#way === null) throw new Error('unreachable: a place is opened before an ORM connects to it')
      const own = this.#config(this.#way, () => pool.isPooled)
      const config = { ...own, types } as SafeClientConfig // pg's own type parsers.
      const pool: SafePool = new SafePool({ config, limits: this.#limits, isPooled })
      return pool
    })
    const { hosts, user, database } = this.#target
    const own = { driver, dbName: database, host: hosts[0].host, port: hosts[0].port, user: user ?? undefined }
    return isolatedOrmOptions(own as OrmOptions, this.#limits.echo) // A user may be undefined, whatever its type says.
  }

  async close(orm: MikroORM, withinMs: number): Promise<void> {
    await pools.get(orm.driver.getConnection())?.close(withinMs)
    const ended = orm.close(true).catch(() => {})
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, ormCloseMs).unref())])
  }

  async #connect(way: Way, signal: AbortSignal): Promise<SafeClient> {
    // Finding the ways reads files, and an abort that has come meanwhile comes no second time.
    signal.throwIfAborted()
    const client = new SafeClient(this.#config(way, () => this.#target.pooled === 'yes'))
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => {
      client.evict()
      aborted.reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const connecting = client.connect()
      await Promise.race([connecting, aborted.promise])
      return client
    } catch (error) {
      client.evict()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #config(way: Way, isPooled: () => boolean): SafeClientConfig {
    const { user, database, password, applicationName, options, connectMs } = this.#target
    const config = {
      host: this.#host.host,
      port: this.#host.port,
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
      // then cost somebody the whole of QUERY_TIMEOUT.
      keepAliveInitialDelayMillis: keepAliveMs,
      connectionTimeoutMillis: Math.min(this.#limits.connectMs, connectMs ?? this.#limits.connectMs),
      queryMs: this.#limits.queryMs,
      isPooled,
      clients: new Set<Evictable>(),
    }
    return config as unknown as SafeClientConfig // A password may be a function that gives none, whatever the types say.
  }
}

/** Where the mode leaves it open: no TLS there, or a server that takes only the other way. */
function mayTryOtherwise(error: unknown): boolean {
  const { kind, code } = classify(error, 'open')
  return kind === 'tls' || code === '28000'
}
