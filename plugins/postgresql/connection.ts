import type { Configuration } from '@mikro-orm/core'
import { PostgreSqlConnection, PostgreSqlDriver } from '@mikro-orm/postgresql'
import { CompiledQuery, type DatabaseConnection } from 'kysely'
import { type ConnectionHook, pooledConnection } from '../../src/driver/kit/driver-kit.ts'
import { createDialect } from './client/kysely.ts'
import type { SafePool } from './client/pool.ts'

/** MikroORM's driver on a pool, made with MikroORM's parsers of types. One class per ORM: an ORM is never used again after `close()`. */
export function createDriverClass(
  makePool: (types: unknown) => SafePool,
): new (
  config: Configuration,
) => PostgreSqlDriver {
  const SafeConnection = pooledConnection(PostgreSqlConnection, {
    // Entities, kysely and native statements read the same values: dates stay text until a type parses them.
    makePool: (stock) => makePool(stock.mapOptions({}).types),
    createDialect,
    reserveHook: (stock, own) => sessionHook(stock as unknown as StockSession, own), // Private members of the stock one.
  })
  return class SafePostgreSqlDriver extends PostgreSqlDriver {
    // Replaces the stock connection that the base constructor made; that one opens nothing until it is used.
    protected override readonly connection: PostgreSqlConnection

    constructor(config: Configuration) {
      super(config)
      this.connection = new SafeConnection(config)
    }
  }
}

/** The parts of the stock connection that set MikroORM's session context; it alone knows these texts. */
interface StockSession {
  readonly config: Configuration
  buildConnectionSessionStatements(context: unknown): { sql: string; params: unknown[] }[]
}

interface SessionHolder {
  getSessionContext(): unknown
}

/** MikroORM's session context before an application's own hook, as the stock connection composes them. */
function sessionHook(stock: StockSession, own: ConnectionHook | undefined): ConnectionHook | undefined {
  const { config } = stock
  if (config.get('sessionContext') !== 'connection') return own
  return async (connection: DatabaseConnection): Promise<void> => {
    const em = config.get('context')(config.get('contextName')) as SessionHolder | undefined
    for (const { sql, params } of stock.buildConnectionSessionStatements(em?.getSessionContext())) {
      await connection.executeQuery(CompiledQuery.raw(sql, params))
    }
    await own?.(connection)
  }
}
