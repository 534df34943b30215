import { setTimeout as sleep } from 'node:timers/promises'
import type { SchemaLock } from '../../src/driver/facet/schema-lock.ts'
import type { MikroORM, SqlEntityManager } from '../../src/driver/kit/driver-kit.ts'
import { schemaLockKey } from './own-tables.ts'

/** How often a lock that another process holds is tried again. */
const everyMs = 25

/**
 * An advisory lock of the transaction in which the change runs: it needs no session, so a pooler does not matter, and
 * goes with its holder's connection. Trying again and again leaves a waiter without a connection of its own.
 */
export function schemaLockOf(orm: MikroORM): SchemaLock {
  return {
    async hold<R>(signal: AbortSignal, change: (em: SqlEntityManager) => Promise<R>): Promise<R> {
      for (;;) {
        signal.throwIfAborted()
        const outcome = await orm.em.fork().transactional(async (em): Promise<{ value: R } | null> => {
          const question = 'select pg_try_advisory_xact_lock(?) as had'
          const [row] = await em.execute<{ had: boolean }[]>(question, [schemaLockKey])
          return row?.had === true ? { value: await change(em) } : null
        })
        if (outcome !== null) return outcome.value
        await sleep(everyMs, undefined, { signal })
      }
    },
  }
}
