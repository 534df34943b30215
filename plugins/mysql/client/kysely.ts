import type { Readable } from 'node:stream'
import { type CompiledQuery, MysqlDialect, type QueryResult, type TransactionSettings } from 'kysely'
import {
  type ConnectionHooks,
  createLeaseDriver,
  type LeaseDialect,
  type Portions,
  timeoutError,
} from '../../../src/driver/kit/driver-kit.ts'
import { faults } from '../faults.ts'
import type { SafeClient } from './client.ts'
import type { SafePool } from './pool.ts'
import { waiting } from './session.ts'

/** The stock dialect on the connections of a pool. */
export function createDialect(pool: SafePool, hooks: ConnectionHooks): MysqlDialect {
  const dialect = new MysqlDialect({ pool: () => Promise.reject(new Error('unreachable: the driver is ours')) })
  dialect.createDriver = () => createLeaseDriver(pool, hooks, leaseDialectOf(pool))
  return dialect
}

const leaseDialectOf = ({ config: { server } }: SafePool): LeaseDialect<SafeClient> => ({
  begin: (settings) => beginTexts(settings, server.syncWait === 'read'),
  quoted: (name) => `\`${name.replaceAll('`', '``')}\``,
  releaseSavepoint: 'release savepoint',
  execute,
  stream: (client, query, count) => new RowStream(client, query, count),
  stop({ threadId }, what) {
    if (threadId === null) return null
    return `kill ${what === 'statement' ? 'query' : 'connection'} ${threadId}`
  },
  late: () => timeoutError('statement'),
})

/** The level counts for the next transaction alone. */
function beginTexts({ isolationLevel, accessMode }: TransactionSettings, waits: boolean): readonly string[] {
  const level = isolationLevel === undefined ? [] : [`set transaction isolation level ${isolationLevel}`]
  if (accessMode === 'read only') return [...level, 'start transaction read only']
  const begin = accessMode === undefined ? 'begin' : `start transaction ${accessMode}`
  return [...level, waits ? waiting(begin) : begin]
}

async function execute(client: SafeClient, query: CompiledQuery): Promise<QueryResult<unknown>> {
  const { rows, changed, insertId, isCount } = await client.run(query.sql, query.parameters)
  if (!isCount) return { rows: rows as unknown[] } // kysely does not change them.
  const given = insertId === null ? {} : { insertId: BigInt(insertId) }
  return { ...given, numAffectedRows: BigInt(changed), rows: [] }
}

/** The rows of one statement, as the server sends them. */
class RowStream implements Portions {
  readonly #client: SafeClient
  readonly #rows: Promise<Readable>
  #next: AsyncIterator<unknown> | null = null
  #isOver = false

  constructor(client: SafeClient, { sql, parameters }: CompiledQuery, count: number) {
    this.#client = client
    this.#rows = client.stream(sql, parameters, count)
    // The reader gets the error.
    this.#rows.catch(() => {})
  }

  async read(count: number): Promise<readonly unknown[]> {
    this.#next ??= (await this.#rows)[Symbol.asyncIterator]()
    const rows: unknown[] = []
    try {
      while (rows.length < count && !this.#isOver) {
        const { done, value } = await this.#next.next()
        this.#isOver = done === true
        if (!this.#isOver) rows.push(value)
      }
      return rows
    } catch (error) {
      this.#isOver = true
      this.#client.evict()
      throw faults.withPhase(error, 'statement')
    }
  }

  /** The server sends all rows or none: a connection whose rows are not all read is reset. */
  async close(): Promise<void> {
    if (this.#next === null) return
    if (!this.#isOver) this.#client.evict()
    const rows = await this.#rows
    rows.on('error', () => {})
    rows.destroy()
  }
}
