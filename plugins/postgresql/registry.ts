import type { MikroORM } from '../../src/driver/driver.ts'
import type { SafePool } from './client/pool.ts'

/** Pools by MikroORM's connection. Kept outside of it: `Connection` copies and wipes its own options. */
export const pools: WeakMap<object, SafePool> = new WeakMap()

/** The pool behind an ORM. @throws TypeError when it is not connected, or by another driver. */
export function poolOf(orm: MikroORM): SafePool {
  const pool = pools.get(orm.driver.getConnection())
  if (pool === undefined) throw new TypeError('The ORM is not connected by this driver.')
  return pool
}
