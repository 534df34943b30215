/** The types of MikroORM that the contract speaks in: one home for them, so that plugins and the core mean the same. */
export type { EntityManager, Options } from '@mikro-orm/core'
export type { SqlEntityManager } from '@mikro-orm/sql'

import type { Options } from '@mikro-orm/core'
import type { AbstractSqlDriver, SqlEntityManager, SqlMikroORM } from '@mikro-orm/sql'

/** An ORM over any SQL driver. */
export type MikroORM = SqlMikroORM<AbstractSqlDriver, SqlEntityManager>

/** The options that a candidate passes to MikroORM; `entities` come from the core. */
export type OrmOptions = Omit<Partial<Options>, 'entities' | 'entitiesTs'>
