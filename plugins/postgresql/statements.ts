import type { QueryResult } from 'pg'
import type { MikroORM, Row, StatementRunner, Statements, Value, Written } from '../../src/driver/driver.ts'
import type { RunOptions, SafeClient } from './client.ts'
import { staleError } from './faults.ts'
import type { SafePool } from './pool.ts'
import { pools } from './registry.ts'

/** Native statements, prepared by name where connections are not shared by a pooler. */
export const statements: Statements = {
  bind(orm: MikroORM): StatementRunner {
    const pool = poolOf(orm)
    return {
      read: async (sql, values): Promise<readonly Row[]> => (await run(pool, sql, values, 'statement')).rows,
      write: async (sql, values): Promise<Written> => {
        // Outside of a transaction it is its own COMMIT.
        const { rows, rowCount } = await run(
          pool,
          sql,
          values,
          pool.transactions.current === null ? 'commit' : 'statement',
        )
        return { rows, changed: rowCount ?? 0 }
      },
    }
  },
}

async function run(
  pool: SafePool,
  sql: string,
  values: readonly Value[],
  phase: 'statement' | 'commit',
): Promise<QueryResult> {
  const joined = pool.transactions.current
  const { echo } = pool.limits
  if (echo !== undefined) echo(sql)
  if (joined !== null) return await runJoined(joined, pool, sql, values, { name: pool.nameOf(sql), phase })
  const client = await pool.acquire()
  try {
    return await runOn(client, pool, sql, values, { name: pool.nameOf(sql), phase })
  } finally {
    client.release()
  }
}

/** The refusal has ended the transaction: it can be begun again, and then the name is another one or none. */
async function runJoined(
  client: SafeClient,
  pool: SafePool,
  sql: string,
  values: readonly Value[],
  options: RunOptions,
): Promise<QueryResult> {
  try {
    return await client.run(sql, values, options)
  } catch (error) {
    throw pool.mayRepeat(error, sql, options.name) ? staleError(error) : error
  }
}

async function runOn(
  client: SafeClient,
  pool: SafePool,
  sql: string,
  values: readonly Value[],
  options: RunOptions,
): Promise<QueryResult> {
  try {
    return await client.run(sql, values, options)
  } catch (error) {
    if (!pool.mayRepeat(error, sql, options.name) || !client.isReady) throw error
    return await client.run(sql, values, { ...options, name: pool.nameOf(sql) })
  }
}

/** The pool behind an ORM. @throws TypeError when it is not connected, or is none of this driver's. */
function poolOf(orm: MikroORM): SafePool {
  const pool = pools.get(orm.driver.getConnection())
  if (pool === undefined) throw new TypeError('The ORM is not connected by this driver.')
  return pool
}
