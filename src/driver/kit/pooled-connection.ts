import type { Configuration } from '@mikro-orm/core'
import type { AbstractSqlConnection } from '@mikro-orm/sql'
import type { DatabaseConnection, Dialect } from 'kysely'
import type { ConnectionHooks } from './lease.ts'
import { poolClosedError } from './pool.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** A pool as MikroORM's connection needs it; `C` is a connection of the pool. */
export interface OrmPool<C> {
  readonly transactions: TransactionScope<C>
  /** The native client's own pool, for applications. */
  readonly native: unknown
}

/** What MikroORM runs on a connection. */
export type ConnectionHook = (connection: DatabaseConnection) => Promise<void>

/** The parts of a pooled connection; `K` is MikroORM's stock connection. */
export interface PooledConnectionParts<K, P> {
  /** Called once, when the ORM connects. */
  makePool(stock: K): P
  createDialect(pool: P, hooks: ConnectionHooks): Dialect
  /** A hook that runs on a connection before each of its holders, next to the application's own. */
  reserveHook?(stock: K, own: ConnectionHook | undefined): ConnectionHook | undefined
}

type Transactional = AbstractSqlConnection['transactional']

/**
 * MikroORM's stock connection on a pool of ours, where native statements join transactions. A subclass, not a dialect in
 * `driverOptions`: that would lose streams, dumps, routines and the native client.
 */
export function pooledConnection<K extends AbstractSqlConnection, C, P extends OrmPool<C>>(
  Stock: new (config: Configuration) => K,
  parts: PooledConnectionParts<K, P>,
): new (
  config: Configuration,
) => K {
  const Base: new (config: Configuration) => AbstractSqlConnection = Stock
  class PooledConnection extends Base {
    #pool: P | null = null
    #isClosed = false

    override createKyselyDialect(): Dialect {
      // MikroORM connects again by itself when an ORM is used after its end.
      if (this.#isClosed) throw poolClosedError()
      const stock = this as unknown as K // Its base is.
      const pool = parts.makePool(stock)
      this.#pool = pool
      const onCreate = hook(this.options.onCreateConnection ?? this.config.get('onCreateConnection'))
      const own = hook(this.options.onReserveConnection ?? this.config.get('onReserveConnection'))
      return parts.createDialect(pool, { onCreate, onReserve: parts.reserveHook?.(stock, own) ?? own })
    }

    /** The native client's own pool. What runs on it has no limits but those that the caller sets. */
    override async getNativeClient(): Promise<unknown> {
      return (await this.#connected()).native
    }

    /** As the stock one, and native statements inside `work` join. */
    override async transactional<T>(
      work: Parameters<Transactional>[0],
      options: NonNullable<Parameters<Transactional>[1]> = {},
    ): Promise<T> {
      const stock = (joined: typeof work): Promise<T> => super.transactional(joined, options) as Promise<T> // What `work` gives.
      if (options.ctx !== undefined) return stock(work)
      return (await this.#connected()).transactions.around(work, stock) as Promise<T>
    }

    override async close(force?: boolean): Promise<void> {
      this.#isClosed = true
      await super.close(force)
    }

    async #connected(): Promise<P> {
      await this.ensureConnection()
      if (this.#pool === null) throw poolClosedError()
      return this.#pool
    }
  }
  return PooledConnection as unknown as new (
    config: Configuration,
  ) => K // The stock one with four methods replaced.
}

/** MikroORM types the connection of its hooks as unknown. */
function hook(given: unknown): ConnectionHook | undefined {
  return typeof given === 'function' ? (given as ConnectionHook) : undefined
}
