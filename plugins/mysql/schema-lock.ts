import { setTimeout as sleep } from 'node:timers/promises'
import type { SchemaLock } from '../../src/driver/facet/schema-lock.ts'
import type { MikroORM, SqlEntityManager } from '../../src/driver/kit/driver-kit.ts'
import type { SafeClient } from './client/client.ts'
import type { SafePool } from './client/pool.ts'
import { schemaLockName } from './own-tables.ts'

/** How often a lock that another process holds is tried again. */
const everyMs = 25

/**
 * A named lock on a connection of its own, in no pool. DDL commits by itself here, and would take a lock of its own
 * transaction with it; and a row locked in a second transaction would be released at the limit of idle transactions.
 * The lock is the session's, so it goes with its holder's connection; poolers know GET_LOCK and keep that connection apart.
 * The change runs in a transaction all the same, for the rows that it writes: its DDL is not undone when it fails.
 */
export function schemaLockOf(orm: MikroORM, pool: SafePool): SchemaLock {
  return {
    async hold<R>(signal: AbortSignal, change: (em: SqlEntityManager) => Promise<R>): Promise<R> {
      signal.throwIfAborted()
      const client = await pool.openAside()
      try {
        await lock(client, schemaLockName(pool.config.database), signal)
        return await orm.em.fork().transactional((em) => change(em as SqlEntityManager)) // Its own driver's.
      } finally {
        await client.end()
      }
    },
  }
}

async function lock(client: SafeClient, name: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await client.run('select get_lock(?, 0) as had', [name])
    if (Number(rows[0]?.had) === 1) return
    await sleep(everyMs, undefined, { signal })
  }
}
