import type { QueryResult } from 'pg'
import type { MikroORM, Row, StatementRunner, Statements, Value, Written } from '../../../src/driver/driver.ts'
import { staleError } from '../faults.ts'
import { pools } from '../registry.ts'
import type { SafeClient } from './client.ts'
import type { SafePool } from './pool.ts'

/** Native statements, prepared by name where connections are not shared by a pooler. */
export const statements: Statements = {
  bind(orm: MikroORM): StatementRunner {
    const pool = poolOf(orm)
    return {
      read: (sql, values) => run(pool, { sql, values, isWrite: false }, rowsOf),
      write: (sql, values) => run(pool, { sql, values, isWrite: true }, writtenOf),
    }
  },
}

interface Asked {
  readonly sql: string
  readonly values: readonly Value[]
  readonly isWrite: boolean
}

function rowsOf({ rows }: QueryResult): readonly Row[] {
  return rows
}

function writtenOf({ rows, rowCount }: QueryResult): Written {
  return { rows, changed: rowCount ?? 0 }
}

/** The usual case in one function: every statement pays each promise more. */
async function run<T>(pool: SafePool, asked: Asked, shape: (result: QueryResult) => T): Promise<T> {
  const { sql, values, isWrite } = asked
  const joined = pool.transactions.current
  pool.limits.echo?.(sql)
  const name = pool.nameOf(sql)
  if (joined !== null) return shape(await runJoined(joined, pool, asked, name))
  const client = await pool.acquire()
  // Outside of a transaction a write is its own COMMIT.
  const phase = isWrite ? 'commit' : 'statement'
  try {
    return shape(await client.run(sql, values, { name, phase }))
  } catch (error) {
    if (!pool.mayRepeat(error, sql, name) || !client.isReady) throw error
    return shape(await client.run(sql, values, { name: pool.nameOf(sql), phase }))
  } finally {
    client.release()
  }
}

/** The refusal has ended the transaction: it can be begun again, and then the name is another one or none. */
async function runJoined(
  client: SafeClient,
  pool: SafePool,
  { sql, values }: Asked,
  name: string | undefined,
): Promise<QueryResult> {
  try {
    return await client.run(sql, values, { name, phase: 'statement' })
  } catch (error) {
    throw pool.mayRepeat(error, sql, name) ? staleError(error) : error
  }
}

/** The pool behind an ORM. @throws TypeError when it is not connected, or is none of this driver's. */
function poolOf(orm: MikroORM): SafePool {
  const pool = pools.get(orm.driver.getConnection())
  if (pool === undefined) throw new TypeError('The ORM is not connected by this driver.')
  return pool
}
