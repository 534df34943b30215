import type { Row, Statements, Value, Written } from '../facet/statements.ts'
import type { Phase } from '../fault.ts'
import type { ConnectionPool, PooledClient } from './pool.ts'

/** A client that runs native statements; `O` says how, `R` is its answer. */
export interface StatementClient<O, R> extends PooledClient {
  run(text: string, values?: readonly unknown[], options?: O): Promise<R>
}

/** A statement that has failed. */
export interface FailedStatement<C, O> {
  readonly client: C
  readonly sql: string
  readonly options: O
  /** True inside the transaction of an EntityManager. */
  readonly isJoined: boolean
}

/** How one kind of client runs native statements. */
export interface StatementDialect<C, O, R> {
  /** How a statement is run first. */
  options(sql: string, phase: Phase): O
  /** How it is run once more, where nothing of it was executed. @throws the caller's error where it is not. */
  retry(error: unknown, failed: FailedStatement<C, O>): O
  /** Rows inserted, changed or deleted. */
  changed(answer: R): number
}

/** Statements on a pool: each statement is its own transaction, or joins the EntityManager's. */
export function createStatements<O, R extends Pick<Written, 'rows'>, C extends StatementClient<O, R>>(
  pool: ConnectionPool<C>,
  dialect: StatementDialect<C, O, R>,
): Statements {
  const rowsOf = ({ rows }: R): readonly Row[] => rows
  const writtenOf = (answer: R): Written => ({ rows: answer.rows, changed: dialect.changed(answer) })
  // The usual case in one function: each further promise costs every statement.
  const run = async <T>(
    sql: string,
    values: readonly Value[],
    isWrite: boolean,
    shape: (answer: R) => T,
  ): Promise<T> => {
    const joined = pool.transactions.current
    pool.limits.echo?.(sql)
    // Outside of a transaction a write is its own COMMIT.
    const options = dialect.options(sql, isWrite && joined === null ? 'commit' : 'statement')
    const client = joined ?? pool.take() ?? (await pool.acquire())
    try {
      return shape(await client.run(sql, values, options))
    } catch (error) {
      const failed = { client, sql, options, isJoined: joined !== null }
      return shape(await client.run(sql, values, dialect.retry(error, failed)))
    } finally {
      if (joined === null) pool.release(client)
    }
  }
  return {
    read: (sql, values) => run(sql, values, false, rowsOf),
    write: (sql, values) => run(sql, values, true, writtenOf),
  }
}
