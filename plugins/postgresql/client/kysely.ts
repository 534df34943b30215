import { type CompiledQuery, PostgresDialect, type QueryResult, type TransactionSettings } from 'kysely'
import Cursor from 'pg-cursor'
import {
  type ConnectionHooks,
  createLeaseDriver,
  type LeaseDialect,
  type Portions,
  timeoutError,
} from '../../../src/driver/kit/driver-kit.ts'
import type { SafeClient } from './client.ts'
import type { SafePool } from './pool.ts'

/** The stock dialect on the connections of a pool. */
export function createDialect(pool: SafePool, hooks: ConnectionHooks): PostgresDialect {
  const dialect = new PostgresDialect({ pool: () => Promise.reject(new Error('unreachable: the driver is ours')) })
  dialect.createDriver = () => createLeaseDriver(pool, hooks, leaseDialect(pool))
  return dialect
}

function leaseDialect(pool: SafePool): LeaseDialect<SafeClient> {
  return {
    begin: (settings) => [beginText(settings, pool.limits.transactionMs)],
    quoted: (name) => `"${name.replaceAll('"', '""')}"`,
    releaseSavepoint: 'release',
    execute,
    stream: openCursor,
    stop({ processId }, what) {
      // A pooler's number is not the server's, where it may be that of another client.
      if (processId === null || pool.isPooled) return null
      return `select pg_${what === 'statement' ? 'cancel' : 'terminate'}_backend(${processId})`
    },
    late: () => timeoutError('statement'),
  }
}

/** The idle limit goes with BEGIN: a zombie behind a black hole must not hold its locks for hours. */
function beginText({ isolationLevel, accessMode }: TransactionSettings, transactionMs: number): string {
  const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
  const isPlain = isolationLevel === undefined && accessMode === undefined
  const begin = isPlain ? 'begin' : `start transaction${level}${accessMode === undefined ? '' : ` ${accessMode}`}`
  return `${begin}; set local idle_in_transaction_session_timeout = ${Math.max(1, Math.round(transactionMs))}`
}

async function execute(client: SafeClient, query: CompiledQuery): Promise<QueryResult<unknown>> {
  const result = await client.run(query.sql, query.parameters)
  // Several statements in one text, a dump, give a list of results.
  const { command, rowCount, rows } = Array.isArray(result) ? result.at(-1) : result
  const isWrite = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE'
  return isWrite ? { numAffectedRows: BigInt(rowCount ?? 0), rows: rows ?? [] } : { rows: rows ?? [] }
}

function openCursor(client: SafeClient, { sql, parameters }: CompiledQuery): Portions {
  const cursor = client.query(new Cursor(sql, [...parameters]))
  return {
    read: (count) => cursor.read(count),
    async close() {
      if (!client.isOpen) return
      const { promise, resolve } = Promise.withResolvers<void>()
      // A portal whose connection has ended never settles by itself.
      client.once('end', resolve)
      cursor.close(() => resolve())
      await promise
      client.removeListener('end', resolve)
    },
  }
}
