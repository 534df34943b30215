import { type CompiledQuery, type Driver, PostgresDialect, type QueryResult, type TransactionSettings } from 'kysely'
import { type Aim, type ConnectionHooks, createLeaseDriver, Lease, type Portions } from '../../../src/driver/driver.ts'
import { SafeClient } from './client.ts'
import { SafeCursor } from './cursor.ts'
import type { SafePool } from './pool.ts'

/** The stock dialect with a driver of our own. */
export class SafeDialect extends PostgresDialect {
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
      words: { begin: (settings) => [beginText(settings, pool.limits.transactionMs)], quoted, release: 'release' },
      lease: (client) => new PgLease(client, pool),
    })
  }
}

/** The idle limit goes with BEGIN: a zombie behind a black hole must not hold its locks for hours. */
function beginText({ isolationLevel, accessMode }: TransactionSettings, transactionMs: number): string {
  const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
  const isPlain = isolationLevel === undefined && accessMode === undefined
  const begin = isPlain ? 'begin' : `start transaction${level}${accessMode === undefined ? '' : ` ${accessMode}`}`
  return `${begin}; set local idle_in_transaction_session_timeout = ${Math.max(1, Math.round(transactionMs))}`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

class PgLease extends Lease<SafeClient> {
  readonly #pool: SafePool

  constructor(client: SafeClient, pool: SafePool) {
    super(client, pool, pool.limits.echo)
    this.#pool = pool
  }

  protected override async execute<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.client.run(query.sql, query.parameters)
    // Several statements in one text give a list of results: a dump, of which nobody reads them.
    const { command, rowCount, rows } = Array.isArray(result) ? result.at(-1) : result
    const isWrite = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE'
    return isWrite ? { numAffectedRows: BigInt(rowCount ?? 0), rows: rows ?? [] } : { rows: rows ?? [] }
  }

  protected override open({ sql, parameters }: CompiledQuery): Portions {
    return new SafeCursor(this.client, sql, parameters, this.#pool.limits.queryMs)
  }

  /** On a connection of its own: the pool may have none to give. */
  protected override async stop(what: 'statement' | 'session', aim: Aim): Promise<void> {
    const { processId } = this.client
    // A pooler's number is not the server's, where it may be that of somebody else.
    if (processId === null || this.#pool.isPooled) return
    const text = what === 'statement' ? 'select pg_cancel_backend($1)' : 'select pg_terminate_backend($1)'
    const control = new SafeClient(this.#pool.config)
    try {
      await control.connect()
      if (aim()) await control.run(text, [processId])
    } finally {
      control.evict()
    }
  }
}
