import type { Row, Statements, Value, Written } from '../facet/statements.ts'
import type { Phase } from '../fault.ts'
import type { ConnectionPool, PooledClient } from './pool.ts'

/** A statement that has failed. */
export interface FailedStatement<C, O> {
  readonly client: C
  readonly sql: string
  readonly options: O
  /** True inside the transaction of an EntityManager. */
  readonly isJoined: boolean
}

/** How one kind of client runs native statements; `O` are its options. */
export interface StatementDialect<C, O> {
  /** How a statement is run first. */
  options(sql: string, phase: Phase, isJoined: boolean): O
  run(client: C, sql: string, values: readonly Value[], options: O): Promise<Written>
  /** Whether other statements may run on the same connection before and after this one; absent: no. */
  mayShare?(options: O): boolean
  /** How it is run once more, where nothing of it was executed. @throws the caller's error where it is not. */
  retry(error: unknown, failed: FailedStatement<C, O>): O
}

/** Statements on a pool: each statement is its own transaction, or joins the EntityManager's. */
export function createStatements<O, C extends PooledClient>(
  pool: ConnectionPool<C>,
  dialect: StatementDialect<C, O>,
): Statements {
  // The usual case in one function: each further promise costs every statement.
  const run = async <T>(
    sql: string,
    values: readonly Value[],
    isWrite: boolean,
    shape: (answer: Written) => T,
  ): Promise<T> => {
    const joined = pool.transactions.current
    const isJoined = joined !== null
    pool.limits.echo?.(sql)
    // Outside of a transaction a write is its own COMMIT.
    const options = dialect.options(sql, isWrite && !isJoined ? 'commit' : 'statement', isJoined)
    const share = dialect.mayShare?.(options) === true ? (isWrite ? 'write' : 'read') : null
    const client = joined ?? pool.take(share) ?? (await pool.acquire(share))
    try {
      return shape(await dialect.run(client, sql, values, options))
    } catch (error) {
      const again = dialect.retry(error, { client, sql, options, isJoined })
      return shape(await dialect.run(client, sql, values, again))
    } finally {
      if (!isJoined) pool.release(client)
    }
  }
  return {
    read: (sql, values) => run(sql, values, false, rowsOf),
    write: (sql, values) => run(sql, values, true, writtenOf),
  }
}

function rowsOf({ rows }: Written): readonly Row[] {
  return rows
}

function writtenOf({ rows, changed }: Written): Written {
  return { rows, changed }
}
