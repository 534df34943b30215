import type {
  CompiledQuery,
  ControlConnectionProvider,
  DatabaseConnection,
  Driver as KyselyDriver,
  QueryResult,
  TransactionSettings,
} from 'kysely'
import type { FaultError } from '../fault.ts'
import type { ConnectionPool } from './pool.ts'
import type { PooledClient } from './pooled-client.ts'
import { faultError } from './read-error.ts'

/** The hooks that MikroORM offers an application for each connection. */
export interface ConnectionHooks {
  readonly onCreate: ((connection: DatabaseConnection) => Promise<void>) | undefined
  readonly onReserve: ((connection: DatabaseConnection) => Promise<void>) | undefined
}

/** How one kind of database runs what kysely asks for. */
export interface LeaseDialect<C extends PooledClient> {
  /** The statements that begin a transaction, in order. */
  begin(settings: TransactionSettings): readonly string[]
  /** A name as it stands in a statement. */
  quoted(name: string): string
  /** Stands before the name of a savepoint to release it. */
  readonly releaseSavepoint: string
  /** Runs one statement. */
  execute(client: C, query: CompiledQuery): Promise<QueryResult<unknown>>
  /** Opens a stream whose portions have up to `count` rows. */
  stream(client: C, query: CompiledQuery, count: number): Portions
  /** The statement that stops from another connection what a client runs. Null: that could hit another client. */
  stop(client: C, what: 'statement' | 'session'): string | null
  /** The fault of a portion that took longer than QUERY_TIMEOUT. */
  late(): FaultError
}

/** Rows by portions, the last of which is empty. The lease limits both, and resets a connection that is late. */
export interface Portions {
  read(count: number): Promise<readonly unknown[]>
  /** Called whatever happened. */
  close(): Promise<void>
}

/** kysely's driver that loses no connection, whichever of BEGIN, COMMIT and ROLLBACK fails. */
export function createLeaseDriver<C extends PooledClient>(
  pool: ConnectionPool<C>,
  hooks: ConnectionHooks,
  dialect: LeaseDialect<C>,
): KyselyDriver {
  return new LeaseDriver(pool, hooks, dialect)
}

class LeaseDriver<C extends PooledClient> implements KyselyDriver {
  readonly #pool: ConnectionPool<C>
  readonly #hooks: ConnectionHooks
  readonly #dialect: LeaseDialect<C>
  readonly #known = new WeakSet<C>()

  constructor(pool: ConnectionPool<C>, hooks: ConnectionHooks, dialect: LeaseDialect<C>) {
    this.#pool = pool
    this.#hooks = hooks
    this.#dialect = dialect
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const client = this.#pool.take() ?? (await this.#pool.acquire())
    const lease = new Lease(client, this.#pool, this.#dialect)
    const { onCreate, onReserve } = this.#hooks
    try {
      if (onCreate !== undefined && !this.#known.has(client)) await onCreate(lease)
      this.#known.add(client)
      await onReserve?.(lease)
    } catch (error) {
      client.evict()
      lease.end()
      throw error
    }
    return lease
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const lease = this.#leaseOf(connection)
    try {
      for (const text of this.#dialect.begin(settings)) await lease.control(text)
    } catch (error) {
      // kysely releases only a connection that has begun.
      lease.client.evict()
      lease.end()
      throw error
    }
    this.#pool.transactions.begun(lease.client)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const lease = this.#leaseOf(connection)
    try {
      await lease.control('commit')
    } catch (error) {
      // A caller that began by hand may not roll back after this.
      lease.end()
      throw error
    }
  }

  /** Never throws: the server rolls back what loses its connection. */
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const lease = this.#leaseOf(connection)
    if (lease.isOver) return
    // A statement that still runs would have to be waited for.
    if (!lease.client.isReady) lease.client.evict()
    else await lease.control('rollback').catch(() => lease.client.evict())
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#leaseOf(connection).control(`savepoint ${this.#dialect.quoted(name)}`)
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#leaseOf(connection).control(`rollback to ${this.#dialect.quoted(name)}`)
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    const { releaseSavepoint } = this.#dialect
    await this.#leaseOf(connection).control(`${releaseSavepoint} ${this.#dialect.quoted(name)}`)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#leaseOf(connection).end()
  }

  async destroy(): Promise<void> {
    await this.#pool.close(0)
  }

  #leaseOf(connection: DatabaseConnection): Lease<C> {
    if (connection instanceof Lease) return connection
    throw new TypeError('The connection belongs to another driver.')
  }
}

/** A connection for as long as one holder has it. Afterwards it runs nothing, since the next holder has the client. */
class Lease<C extends PooledClient> implements DatabaseConnection {
  readonly client: C
  readonly #pool: ConnectionPool<C>
  readonly #dialect: LeaseDialect<C>
  #isOver = false
  #isRunning = false
  #isAimedAt = false

  constructor(client: C, pool: ConnectionPool<C>, dialect: LeaseDialect<C>) {
    this.client = client
    this.#pool = pool
    this.#dialect = dialect
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Gives the connection back. Safe to call twice. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    // A request to stop its statement may arrive late, and would hit the next holder.
    if (this.#isAimedAt) this.client.evict()
    this.#pool.release(this.client)
  }

  async control(text: string): Promise<void> {
    this.#assertOpen()
    await this.client.run(text)
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    this.#assertOpen()
    this.#note(query)
    this.#isRunning = true
    try {
      // The row's type is the caller's claim, as kysely's own.
      return (await this.#dialect.execute(this.client, query)) as QueryResult<R>
    } finally {
      this.#isRunning = false
    }
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    this.#assertOpen()
    this.#note(query)
    const portions = this.#dialect.stream(this.client, query, chunkSize)
    try {
      for (;;) {
        const rows = (await this.#limited(portions.read(chunkSize))) as R[] // As above.
        if (rows.length === 0) return
        yield { rows }
      }
    } finally {
      await this.#limited(portions.close()).catch(() => {})
    }
  }

  async cancelQuery(_control: ControlConnectionProvider): Promise<void> {
    await this.#stop('statement')
  }

  async killSession(_control: ControlConnectionProvider): Promise<void> {
    await this.#stop('session')
  }

  async collectSessionInfo(): Promise<void> {}

  /** On a connection of its own: the pool may have none to give. */
  async #stop(what: 'statement' | 'session'): Promise<void> {
    const text = this.#isRunning ? this.#dialect.stop(this.client, what) : null
    if (text === null) return
    const control = await this.#pool.openAside()
    try {
      // It may have ended meanwhile, and then its successor would be hit.
      if (!this.#isRunning) return
      this.#isAimedAt = true
      await control.run(text)
    } finally {
      control.evict()
    }
  }

  async #limited<T>(work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      late.reject(this.#dialect.late())
      this.client.evict()
    }, this.#pool.limits.queryMs)
    try {
      return await Promise.race([work, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  #assertOpen(): void {
    if (this.#isOver)
      throw faultError('statement', 'TRANSACTION_OVER', 'The transaction is over.', 'Begin another one.')
  }

  /** A text without parameters is MikroORM's, with the values in it; MikroORM's logger reports it without them. */
  #note({ sql, parameters, query }: CompiledQuery): void {
    if (parameters.length > 0 || query.kind !== 'RawNode') this.#pool.limits.echo?.(sql)
  }
}
