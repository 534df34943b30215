import type { Configuration } from '@mikro-orm/core'
import { PostgreSqlConnection, PostgreSqlDriver } from '@mikro-orm/postgresql'
import { CompiledQuery, type DatabaseConnection, type PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { type ConnectionHooks, poolClosedError } from '../../src/driver/driver.ts'
import { createDialect } from './client/kysely.ts'
import type { SafePool } from './client/pool.ts'
import { pools } from './registry.ts'

type Transactional = PostgreSqlConnection['transactional']
type TransactionalOptions = NonNullable<Parameters<Transactional>[1]>

/** Makes the pool that a connection stands on, with MikroORM's parsers of types. */
export type MakePool = (types: unknown) => SafePool

/** MikroORM's driver over our connection. One class per ORM: an ORM is never used again after `close()`. */
export function createDriverClass(makePool: MakePool): new (config: Configuration) => PostgreSqlDriver {
  return class SafePostgreSqlDriver extends PostgreSqlDriver {
    // Replaces the stock connection that the base constructor has made; that one opens nothing until it is used.
    protected override readonly connection: SafePostgreSqlConnection

    constructor(config: Configuration) {
      super(config)
      this.connection = new SafePostgreSqlConnection(config, makePool)
    }
  }
}

/** MikroORM's PostgreSQL connection on a safe pool. A subclass, not a dialect in `driverOptions`: that would lose streams, dumps, routines and parsers. */
export class SafePostgreSqlConnection extends PostgreSqlConnection {
  readonly #makePool: MakePool
  #pool: SafePool | null = null
  #isClosed = false

  constructor(config: Configuration, makePool: MakePool) {
    super(config)
    this.#makePool = makePool
  }

  /** Null until it is connected. */
  get pool(): SafePool | null {
    return this.#pool
  }

  override createKyselyDialect(): PostgresDialect {
    // MikroORM connects anew by itself when an ORM is used after its end.
    if (this.#isClosed) throw poolClosedError()
    // Entities, kysely and native statements read the same values: dates stay text until a type parses them.
    const pool = this.#makePool(this.mapOptions({}).types)
    this.#pool = pool
    pools.set(this, pool)
    return createDialect(pool, this.#hooks())
  }

  /** pg's own pool next to ours, made when it is first asked for. Its statements have no limits but the caller's. */
  override async getNativeClient(): Promise<Pool> {
    await this.ensureConnection()
    if (this.#pool === null) throw poolClosedError()
    return this.#pool.native
  }

  /** As the stock one, and native statements inside `work` join. */
  override async transactional<T>(
    work: Parameters<typeof PostgreSqlConnection.prototype.transactional<T>>[0],
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

  /** An application's own hooks, and the session context of MikroORM, as the stock connection composes them. */
  #hooks(): ConnectionHooks {
    const onCreate = this.options.onCreateConnection ?? this.config.get('onCreateConnection')
    const own = this.options.onReserveConnection ?? this.config.get('onReserveConnection')
    if (this.config.get('sessionContext') !== 'connection') return { onCreate: hook(onCreate), onReserve: hook(own) }
    const onReserve = async (connection: DatabaseConnection): Promise<void> => {
      for (const { sql, params } of this.#sessionStatements()) {
        await connection.executeQuery(CompiledQuery.raw(sql, [...params]))
      }
      await hook(own)?.(connection)
    }
    return { onCreate: hook(onCreate), onReserve }
  }

  #sessionStatements(): readonly { readonly sql: string; readonly params: readonly unknown[] }[] {
    const em = this.config.get('context')(this.config.get('contextName')) as SessionHolder | undefined
    const stock = this as unknown as StockSession // Private in the stock connection, which alone knows these texts.
    return stock.buildConnectionSessionStatements(em?.getSessionContext())
  }
}

interface SessionHolder {
  getSessionContext(): unknown
}

interface StockSession {
  buildConnectionSessionStatements(context: unknown): { sql: string; params: unknown[] }[]
}

type Hook = (connection: DatabaseConnection) => Promise<void>

/** MikroORM types the connection of its hooks as unknown. */
function hook(given: unknown): Hook | undefined {
  return typeof given === 'function' ? (given as Hook) : undefined
}
