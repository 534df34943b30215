import type { SqlEntityManager } from '../orm.ts'

/** Facet: one schema change at a time, across processes. Needs no session state (poolers). */
export interface SchemaLock {
  /**
   * Runs `change` in one transaction (where DDL allows it) while no other process holds the lock. Rejects with what
   * `classify` reads if the lock is not acquired before `signal` aborts. Released when `change` settles or its process dies.
   */
  hold<R>(signal: AbortSignal, change: (em: SqlEntityManager) => Promise<R>): Promise<R>
}
