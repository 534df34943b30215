import type { SafePool } from './client/pool.ts'

/** Pools by MikroORM's connection. Kept outside of it: `Connection` copies and wipes its own options. */
export const pools: WeakMap<object, SafePool> = new WeakMap()
