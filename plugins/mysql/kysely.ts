import {
  type CompiledQuery,
  type ControlConnectionProvider,
  type DatabaseConnection,
  type Driver,
  MysqlDialect,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import { SafeClient } from './client.ts'
import { overError } from './faults.ts'
import type { SafePool } from './pool.ts'
import { transactionScope } from './scope.ts'
import { SafeStream } from './stream.ts'

/** What MikroORM lets an application do with each connection. */
export interface Hooks {
  readonly onCreate: ((connection: DatabaseConnection) => Promise<void>) | undefined
  readonly onReserve: ((connection: DatabaseConnection) => Promise<void>) | undefined
}

/** The stock dialect with a driver of our own. */
export class SafeDialect extends MysqlDialect {
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

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const lease = leaseOf(connection)
    try {
      for (const text of beginTexts(settings)) await lease.control(text)
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
    await leaseOf(connection).control(`release savepoint ${quoted(name)}`)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    leaseOf(connection).end()
  }

  async destroy(): Promise<void> {
    await this.#pool.close(0)
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
    this.#pool.release(this.client)
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
      const { rows, changed, insertId, isCount } = await this.client.run(query.sql, query.parameters)
      if (!isCount) return { rows: rows as R[] } // The row's type is the caller's claim, as kysely's own.
      const given = insertId === null ? {} : { insertId: BigInt(insertId) }
      return { ...given, numAffectedRows: BigInt(changed), rows: [] }
    } finally {
      this.#isRunning = false
    }
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    if (this.#isOver) throw overError()
    this.#note(query)
    const stream = new SafeStream(this.client, query.sql, query.parameters, chunkSize, this.#pool.limits.queryMs)
    try {
      for (;;) {
        const rows = (await stream.read(chunkSize)) as R[] // The row's type is the caller's claim, as kysely's own.
        if (rows.length === 0) return
        yield { rows }
      }
    } finally {
      await stream.close()
    }
  }

  async cancelQuery(_control: ControlConnectionProvider): Promise<void> {
    await this.#fromOutside('kill query')
  }

  async killSession(_control: ControlConnectionProvider): Promise<void> {
    await this.#fromOutside('kill connection')
  }

  async collectSessionInfo(): Promise<void> {}

  /** On a connection of its own: the pool may have none to give. */
  async #fromOutside(text: string): Promise<void> {
    const { threadId } = this.client
    if (!this.#isRunning || threadId === null) return
    const control = new SafeClient(this.#pool.config)
    try {
      await control.connect()
      if (this.#isRunning) await control.run(`${text} ${threadId}`)
    } finally {
      control.evict()
    }
  }

  /** Texts without parameters are MikroORM's, with the values in them; its own logger tells them without. */
  #note({ sql, parameters, query }: CompiledQuery): void {
    if (parameters.length > 0 || query.kind !== 'RawNode') this.#echo?.(sql)
  }
}
