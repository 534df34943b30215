import type { Configuration } from '@mikro-orm/core'
import { MariaDbDriver, MySqlConnection, MySqlDriver } from '@mikro-orm/mariadb'
import { pooledConnection } from '../../src/driver/kit/driver-kit.ts'
import { createDialect } from './client/kysely.ts'
import type { SafePool } from './client/pool.ts'
import { SafeMariaDbPlatform, SafeMySqlPlatform } from './platform.ts'

/**
 * MikroORM's driver on a pool. One class per ORM: an ORM is never used again after `close()`. MariaDB has its own JSON,
 * schema reader and pagination; one package has both.
 */
export function createDriverClass(
  isMariaDb: boolean,
  makePool: () => SafePool,
): new (
  config: Configuration,
) => MySqlDriver {
  const Stock: typeof MySqlDriver = isMariaDb ? MariaDbDriver : MySqlDriver
  const SafeConnection = pooledConnection(MySqlConnection, {
    makePool,
    createDialect,
  })
  return class SafeMySqlDriver extends Stock {
    // Replaces the stock connection that the base constructor made; that one opens nothing until it is used.
    protected override readonly connection: MySqlConnection
    protected override readonly platform = isMariaDb ? new SafeMariaDbPlatform() : new SafeMySqlPlatform()

    constructor(config: Configuration) {
      super(config)
      this.connection = new SafeConnection(config)
    }
  }
}
