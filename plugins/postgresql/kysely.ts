import {
  type CompiledQuery,
  type ControlConnectionProvider,
  type DatabaseConnection,
  type Driver,
  PostgresDialect,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import { SafeClient } from './client.ts'
import { SafeCursor } from './cursor.ts'
import { overError } from './faults.ts'
import type { SafePool } from './pool.ts'
import { transactionScope } from './scope.ts'

/** What MikroORM lets an application do with each connection. */
export interface Hooks {
  readonly onCreate: ((connection: DatabaseConnection) => Promise<void>) | undefined
  readonly onReserve: ((connection: DatabaseConnection) => Promise<void>) | undefined
}

/** The stock dialect with a driver of our own. */
export class SafeDialect extends PostgresDialect {
  readonly #pool: SafePool
  readonly #hooks: Hooks
  readonly #echo: ((text: string) => void) | undefined

  constructor(pool: SafePool, hooks: Hooks, echo: ((text: string) => void) | undefined) {
    super({ pool: () => Promise.reject(new Error('unreachable: the driver is ours')) })
    this.#pool = pool
    this.#hooks = hooks
    this.#echo = echo
  }

  override createDriver(): Driver {
    return new SafeDriver(this.#pool, this.#hooks, this.#echo)
  }
}

/** Loses no connection, whichever of BEGIN, COMMIT and ROLLBACK fails. */
class SafeDriver implements Driver {
  readonly #pool: SafePool
  readonly #hooks: Hooks
  readonly #echo: ((text: string) => void) | undefined
  readonly #known = new WeakSet<SafeClient>()

  constructor(pool: SafePool, hooks: Hooks, echo: ((text: string) => void) | undefined) {
    this.#pool = pool
    this.#hooks = hooks
    this.#echo = echo
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const client = await this.#pool.acquire()
    const lease = new Lease(client, this.#pool, this.#echo)
    try {
      if (!this.#known.has(client)) await this.#hooks.onCreate?.(lease)
      this.#known.add(client)
      await this.#hooks.onReserve?.(lease)
    } catch (error) {
      client.evict()
      lease.end()
      throw error
    }
    return lease
  }

  /** The idle limit goes with BEGIN: a zombie behind a black hole must not hold its locks for hours. */
  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const lease = leaseOf(connection)
    const { transactionMs } = this.#pool.limits
    const idle = `set local idle_in_transaction_session_timeout = ${Math.max(1, Math.round(transactionMs))}`
    try {
      await lease.control(`${beginText(settings)}; ${idle}`)
    } catch (error) {
      // kysely gives back only what has begun.
      lease.client.evict()
      lease.end()
      throw error
    }
    const scope = transactionScope.getStore()
    if (scope !== undefined && scope.pool === this.#pool) scope.begun = lease.client
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const lease = leaseOf(connection)
    try {
      await lease.control('commit')
    } catch (error) {
      // Whoever began by hand may not think of a rollback after this.
      lease.end()
      throw error
    }
  }

  /** Never throws: the server rolls back what loses its connection. */
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const lease = leaseOf(connection)
    if (lease.isOver) return
    // A statement that still runs would have to be waited for.
    if (!lease.client.isReady) lease.client.evict()
    else await lease.control('rollback').catch(() => lease.client.evict())
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await leaseOf(connection).control(`savepoint ${quoted(name)}`)
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await leaseOf(connection).control(`rollback to ${quoted(name)}`)
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await leaseOf(connection).control(`release ${quoted(name)}`)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    leaseOf(connection).end()
  }

  async destroy(): Promise<void> {
    await this.#pool.close(0)
  }
}

function beginText({ isolationLevel, accessMode }: TransactionSettings): string {
  if (isolationLevel === undefined && accessMode === undefined) return 'begin'
  const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
  return `start transaction${level}${accessMode === undefined ? '' : ` ${accessMode}`}`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function leaseOf(connection: DatabaseConnection): Lease {
  if (connection instanceof Lease) return connection
  throw new TypeError('The connection is none of this driver.')
}

/** A connection for as long as one holder has it: what comes after `end` runs on nobody else's. */
class Lease implements DatabaseConnection {
  readonly client: SafeClient
  readonly #pool: SafePool
  readonly #echo: ((text: string) => void) | undefined
  #isOver = false
  #isRunning = false
  #isAimedAt = false

  constructor(client: SafeClient, pool: SafePool, echo: ((text: string) => void) | undefined) {
    this.client = client
    this.#pool = pool
    this.#echo = echo
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Gives the connection back, which is destroyed unless it is idle. Safe to call twice. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    // What aims at this connection may arrive late, and would hit whoever has it next.
    if (this.#isAimedAt) this.client.evict()
    this.client.release()
  }

  async control(text: string): Promise<void> {
    if (this.#isOver) throw overError()
    await this.client.run(text)
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#isOver) throw overError()
    this.#note(query)
    this.#isRunning = true
    try {
      const result = await this.client.run(query.sql, query.parameters)
      // Several statements in one text give a list of results: a dump, of which nobody reads them.
      const { command, rowCount, rows } = Array.isArray(result) ? result.at(-1) : result
      const isWrite = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE'
      return isWrite ? { numAffectedRows: BigInt(rowCount ?? 0), rows: rows ?? [] } : { rows: rows ?? [] }
    } finally {
      this.#isRunning = false
    }
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    if (this.#isOver) throw overError()
    this.#note(query)
    const cursor = new SafeCursor(this.client, query.sql, query.parameters, this.#pool.limits.queryMs)
    try {
      for (;;) {
        const rows = (await cursor.read(chunkSize)) as R[] // The row's type is the caller's claim, as kysely's own.
        if (rows.length === 0) return
        yield { rows }
      }
    } finally {
      await cursor.close()
    }
  }

  async cancelQuery(_control: ControlConnectionProvider): Promise<void> {
    await this.#fromOutside('select pg_cancel_backend($1)')
  }

  async killSession(_control: ControlConnectionProvider): Promise<void> {
    await this.#fromOutside('select pg_terminate_backend($1)')
  }

  async collectSessionInfo(): Promise<void> {}

  /** On a connection of its own: the pool may have none to give. */
  async #fromOutside(text: string): Promise<void> {
    const { processId } = this.client
    // A pooler's number is not the server's, where it may be that of somebody else.
    if (!this.#isRunning || processId === null || this.#pool.isPooled) return
    const control = new SafeClient(this.#pool.config)
    try {
      await control.connect()
      if (!this.#isRunning) return
      this.#isAimedAt = true
      await control.run(text, [processId])
    } finally {
      control.evict()
    }
  }

  /** Texts without parameters are MikroORM's, with the values in them; its own logger tells them without. */
  #note({ sql, parameters, query }: CompiledQuery): void {
    if (parameters.length > 0 || query.kind !== 'RawNode') this.#echo?.(sql)
  }
}
