import type { MikroORM, Row, StatementRunner, Statements, Value, Written } from '../../../src/driver/driver.ts'
import { numberOf } from '../faults.ts'
import { pools } from '../registry.ts'
import type { Answer } from './answer.ts'
import type { RunOptions, SafeClient } from './client.ts'
import type { SafePool } from './pool.ts'

/** Native statements, prepared once per connection: values never become part of a text. */
export const statements: Statements = {
  bind(orm: MikroORM): StatementRunner {
    const pool = poolOf(orm)
    return {
      read: async (sql, values): Promise<readonly Row[]> => (await run(pool, sql, values, 'statement')).rows,
      write: async (sql, values): Promise<Written> => {
        // Outside of a transaction it is its own COMMIT.
        const phase = pool.transactions.current === null ? 'commit' : 'statement'
        const { rows, changed } = await run(pool, sql, values, phase)
        return { rows, changed }
      },
    }
  },
}

async function run(
  pool: SafePool,
  sql: string,
  values: readonly Value[],
  phase: 'statement' | 'commit',
): Promise<Answer> {
  const joined = pool.transactions.current
  pool.limits.echo?.(sql)
  const bound = values.map(bindable)
  if (joined !== null) return await runOn(joined, sql, bound, { phase })
  const client = await pool.acquire()
  try {
    return await runOn(client, sql, bound, { phase })
  } finally {
    pool.release(client)
  }
}

/** Those that say that a statement cannot be prepared, or is prepared no more: nothing of it was executed. */
const unprepared: ReadonlySet<number> = new Set([1243, 1295, 1461, 1615, 2030])

async function runOn(
  client: SafeClient,
  sql: string,
  values: readonly unknown[],
  options: RunOptions,
): Promise<Answer> {
  try {
    return await client.run(sql, values, { ...options, isPrepared: true })
  } catch (error) {
    const number = numberOf(error)
    if (number === null || !unprepared.has(number) || !client.isReady) throw error
    return await client.run(sql, values, options)
  }
}

/** mysql2 takes bytes as its own Buffer alone, and whole numbers beyond 2^53 as text. */
function bindable(value: Value): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (typeof value === 'bigint') return String(value)
  return value
}

/** The pool behind an ORM. @throws TypeError when it is not connected, or is none of this driver's. */
export function poolOf(orm: MikroORM): SafePool {
  const pool = pools.get(orm.driver.getConnection())
  if (pool === undefined) throw new TypeError('The ORM is not connected by this driver.')
  return pool
}
