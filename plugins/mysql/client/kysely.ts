import { type CompiledQuery, type Driver, MysqlDialect, type QueryResult, type TransactionSettings } from 'kysely'
import { type Aim, type ConnectionHooks, createLeaseDriver, Lease, type Portions } from '../../../src/driver/driver.ts'
import { SafeClient } from './client.ts'
import type { SafePool } from './pool.ts'
import { SafeStream } from './stream.ts'

/** The stock dialect with a driver of our own. */
export class SafeDialect extends MysqlDialect {
  readonly #pool: SafePool
  readonly #hooks: ConnectionHooks

  constructor(pool: SafePool, hooks: ConnectionHooks) {
    super({ pool: () => Promise.reject(new Error('unreachable: the driver is ours')) })
    this.#pool = pool
    this.#hooks = hooks
  }

  override createDriver(): Driver {
    const pool = this.#pool
    return createLeaseDriver({
      pool,
      hooks: this.#hooks,
      words: { begin: beginTexts, quoted, release: 'release savepoint' },
      lease: (client) => new MysqlLease(client, pool),
    })
  }
}

/** The level counts for the next transaction alone. */
function beginTexts({ isolationLevel, accessMode }: TransactionSettings): readonly string[] {
  const level = isolationLevel === undefined ? [] : [`set transaction isolation level ${isolationLevel}`]
  return [...level, accessMode === undefined ? 'begin' : `start transaction ${accessMode}`]
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

class MysqlLease extends Lease<SafeClient> {
  readonly #pool: SafePool

  constructor(client: SafeClient, pool: SafePool) {
    super(client, pool, pool.limits.echo)
    this.#pool = pool
  }

  protected override async execute<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changed, insertId, isCount } = await this.client.run(query.sql, query.parameters)
    if (!isCount) return { rows: rows as R[] } // The row's type is the caller's claim, as kysely's own.
    const given = insertId === null ? {} : { insertId: BigInt(insertId) }
    return { ...given, numAffectedRows: BigInt(changed), rows: [] }
  }

  protected override open({ sql, parameters }: CompiledQuery, count: number): Portions {
    return new SafeStream(this.client, sql, parameters, count, this.#pool.limits.queryMs)
  }

  /** On a connection of its own: the pool may have none to give. */
  protected override async stop(what: 'statement' | 'session', aim: Aim): Promise<void> {
    const { threadId } = this.client
    if (threadId === null) return
    const control = new SafeClient(this.#pool.config)
    try {
      await control.connect()
      if (aim()) await control.run(`kill ${what === 'statement' ? 'query' : 'connection'} ${threadId}`)
    } finally {
      control.evict()
    }
  }
}
