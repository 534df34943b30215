import type { Configuration } from '@mikro-orm/core'
import { MariaDbDriver, MySqlConnection, MySqlDriver } from '@mikro-orm/mariadb'
import type { DatabaseConnection, MysqlDialect } from 'kysely'
import type { Pool } from 'mysql2'
import { type ConnectionHooks, poolClosedError } from '../../src/driver/driver.ts'
import { createDialect } from './client/kysely.ts'
import type { SafePool } from './client/pool.ts'
import { SafeMariaDbPlatform, SafeMySqlPlatform } from './platform.ts'
import { pools } from './registry.ts'

type Transactional = MySqlConnection['transactional']
type TransactionalOptions = NonNullable<Parameters<Transactional>[1]>

/** Makes the pool that a connection stands on. */
export type MakePool = () => SafePool

/**
 * MikroORM's driver over our connection. One class per ORM: an ORM is never used again after `close()`. MariaDB has its own
 * JSON, its own reading of schemas and its own pagination; one package has both.
 */
export function createDriverClass(isMariaDb: boolean, makePool: MakePool): new (config: Configuration) => MySqlDriver {
  const Stock: typeof MySqlDriver = isMariaDb ? MariaDbDriver : MySqlDriver
  return class SafeMySqlDriver extends Stock {
    // Replaces the stock connection that the base constructor has made; that one opens nothing until it is used.
    protected override readonly connection: SafeMySqlConnection
    protected override readonly platform = isMariaDb ? new SafeMariaDbPlatform() : new SafeMySqlPlatform()

    constructor(config: Configuration) {
      super(config)
      this.connection = new SafeMySqlConnection(config, makePool)
    }
  }
}

/** MikroORM's MySQL connection on a safe pool. A subclass, not a dialect in `driverOptions`: that would lose streams, dumps and routines. */
export class SafeMySqlConnection extends MySqlConnection {
  readonly #makePool: MakePool
  #pool: SafePool | null = null
  #isClosed = false

  constructor(config: Configuration, makePool: MakePool) {
    super(config)
    this.#makePool = makePool
  }

  override async createKyselyDialect(): Promise<MysqlDialect> {
    // MikroORM connects anew by itself when an ORM is used after its end.
    if (this.#isClosed) throw poolClosedError()
    const pool = this.#makePool()
    this.#pool = pool
    pools.set(this, pool)
    return createDialect(pool, this.#hooks())
  }

  /** mysql2's own pool next to ours, made when it is first asked for. Its statements have no limits but the caller's. */
  override async getNativeClient(): Promise<Pool> {
    await this.ensureConnection()
    if (this.#pool === null) throw poolClosedError()
    return this.#pool.native
  }

  /** As the stock one, and native statements inside `work` join. */
  override async transactional<T>(
    work: Parameters<typeof MySqlConnection.prototype.transactional<T>>[0],
    options: TransactionalOptions = {},
  ): Promise<T> {
    if (options.ctx !== undefined) return super.transactional(work, options)
    await this.ensureConnection()
    if (this.#pool === null) throw poolClosedError()
    return this.#pool.transactions.around(work, (joined) => super.transactional(joined, options))
  }

  override async close(force?: boolean): Promise<void> {
    this.#isClosed = true
    await super.close(force)
  }

  /** An application's own hooks. */
  #hooks(): ConnectionHooks {
    return {
      onCreate: hook(this.options.onCreateConnection ?? this.config.get('onCreateConnection')),
      onReserve: hook(this.options.onReserveConnection ?? this.config.get('onReserveConnection')),
    }
  }
}

type Hook = (connection: DatabaseConnection) => Promise<void>

/** MikroORM types the connection of its hooks as unknown. */
function hook(given: unknown): Hook | undefined {
  return typeof given === 'function' ? (given as Hook) : undefined
}
