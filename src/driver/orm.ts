/** The types of MikroORM that the contract speaks in: one home for them, so that plugins and the core mean the same. */
export type { EntityManager, Options } from '@mikro-orm/core'
export type { SqlEntityManager } from '@mikro-orm/sql'

import type { AbstractSqlDriver, SqlEntityManager, SqlMikroORM } from '@mikro-orm/sql'

/** An ORM over any SQL driver. */
export type MikroORM = SqlMikroORM<AbstractSqlDriver, SqlEntityManager>
