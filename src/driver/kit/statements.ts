import { requestKnownCode } from '../facet/requests.ts'
import type { Row, Statement, Statements, Value, Written } from '../facet/statements.ts'
import type { Phase } from '../fault.ts'
import { commonError } from './fault-reader.ts'
import type { ConnectionPool } from './pool.ts'
import type { PooledClient } from './pooled-client.ts'

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
  /** Absent: `Statements.takesFirst` is not there. */
  readonly pairs?: PairDialect<C>
}

/** How a client runs two statements as one transaction, the first of which claims a request. */
export interface PairDialect<C> {
  /** Outside of a transaction; gives what the second one has written. */
  run(client: C, first: Statement, second: Statement): Promise<Written>
  /** Whether other statements may run on the same connection before and after these. */
  mayShare(first: Statement, second: Statement): boolean
  /** Whether the first one has broken a unique key, where it has run by itself. */
  isTaken(error: unknown): boolean
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
  const { pairs } = dialect
  const read: Statements['read'] = (sql, values) => run(sql, values, false, rowsOf)
  const write: Statements['write'] = (sql, values) => run(sql, values, true, writtenOf)
  if (pairs === undefined) return { read, write }
  const writeAfter = async (first: Statement, second: Statement): Promise<Written> => {
    if (pool.transactions.current !== null) {
      await write(first.sql, first.values).catch((error: unknown) => {
        throw pairs.isTaken(error) ? commonError('requestKnown', requestKnownCode, { cause: error }) : error
      })
      return await write(second.sql, second.values)
    }
    pool.limits.echo?.(first.sql)
    pool.limits.echo?.(second.sql)
    const share = pairs.mayShare(first, second) ? 'write' : null
    const client = pool.take(share) ?? (await pool.acquire(share))
    try {
      return writtenOf(await pairs.run(client, first, second))
    } finally {
      pool.release(client)
    }
  }
  return {
    read,
    write: (sql, values, note) =>
      note?.first === undefined ? write(sql, values) : writeAfter(note.first, { sql, values }),
    takesFirst: true,
  }
}

function rowsOf({ rows }: Written): readonly Row[] {
  return rows
}

function writtenOf({ rows, changed }: Written): Written {
  return { rows, changed }
}
