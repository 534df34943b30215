import {
  type Candidate,
  type Connection,
  type Facts,
  type Host,
  isolatedOrmOptions,
  type Limits,
  type MikroORM,
  type OrmOptions,
} from '../../src/driver/driver.ts'
import { SafeClient } from './client/client.ts'
import type { SafeClientConfig } from './client/client-config.ts'
import { SafePool } from './client/pool.ts'
import { unknownServer } from './client/session.ts'
import { createDriverClass } from './connection.ts'
import { classify } from './faults.ts'
import { MysqlConnection } from './mysql-connection.ts'
import { collationOf } from './platform.ts'
import { pools } from './registry.ts'
import { formatHost, type MysqlTarget } from './target.ts'
import { loadTls, type TlsOptions, tlsOrder } from './tls.ts'

/** After the pool is closed MikroORM has nothing left to wait for. */
const ormCloseMs = 1_000

/** One for each host, in the order to try them. Opens nothing. */
export function createCandidates(target: MysqlTarget, limits: Limits): readonly Candidate[] {
  return target.hosts.map((host) => new HostCandidate(target, host, limits))
}

class HostCandidate implements Candidate {
  readonly label: string
  readonly #target: MysqlTarget
  readonly #host: Host
  readonly #limits: Limits
  readonly #server = unknownServer()
  /** What opening found; kept for the ORM that is made afterwards. False: without TLS; null: nothing was opened yet. */
  #tls: TlsOptions | false | null = null

  constructor(target: MysqlTarget, host: Host, limits: Limits) {
    this.label = `mysql ${formatHost(host)}/${target.database}`
    this.#target = target
    this.#host = host
    this.#limits = limits
  }

  async open(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted()
    // Over a Unix socket nothing can listen in.
    const order = this.#host.host.startsWith('/') ? [false] : tlsOrder(this.#target.encryption.mode)
    const files = order.includes(true) ? await loadTls(this.#target.encryption, this.#host.host) : null
    for (const [index, isEncrypted] of order.entries()) {
      const tls = isEncrypted ? files : null
      try {
        const client = await this.#connect(tls, signal)
        this.#tls = tls ?? false
        return new MysqlConnection(client, this.#target)
      } catch (error) {
        // Where the mode leaves it open.
        if (index === order.length - 1 || classify(error, 'open').kind !== 'tls') throw error
      }
    }
    throw new Error('unreachable: each mode has a way to connect')
  }

  orm(facts: Facts): OrmOptions {
    const isMariaDb = facts.version === '' || /mariadb/i.test(facts.version)
    const driver = createDriverClass(isMariaDb, () => {
      // Which way is right only opening finds; another one might be without the TLS that is asked for.
      if (this.#tls === null) throw new Error('unreachable: a place is opened before an ORM connects to it')
      const { connectMs, queryMs } = this.#limits
      const config = this.#config(this.#tls === false ? null : this.#tls, Math.min(connectMs, queryMs))
      return new SafePool({ config, limits: this.#limits })
    })
    const { hosts, user, database } = this.#target
    const place = { dbName: database, host: hosts[0].host, port: hosts[0].port, user }
    const own = { driver, ...place, charset: 'utf8mb4', collate: collationOf(facts.version), multipleStatements: false }
    return isolatedOrmOptions(own as OrmOptions, this.#limits.echo) // The class is one of many drivers to its type.
  }

  async close(orm: MikroORM, withinMs: number): Promise<void> {
    await pools.get(orm.driver.getConnection())?.close(withinMs)
    const ended = orm.close(true).catch(() => {})
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, ormCloseMs).unref())])
  }

  async #connect(tls: TlsOptions | null, signal: AbortSignal): Promise<SafeClient> {
    signal.throwIfAborted()
    const client = new SafeClient(this.#config(tls, this.#limits.connectMs))
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => {
      aborted.reject(signal.reason)
      client.evict()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([client.connect(), aborted.promise])
      return client
    } catch (error) {
      client.evict()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #config(tls: TlsOptions | null, connectMs: number): SafeClientConfig {
    const { user, database, password, connectMs: ownMs } = this.#target
    const { queryMs, transactionMs } = this.#limits
    const limits = { connectMs: Math.min(connectMs, ownMs ?? connectMs), queryMs, transactionMs }
    return { ...this.#host, user, password, database, tls, ...limits, server: this.#server, clients: new Set() }
  }
}
