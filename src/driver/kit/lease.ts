import type {
  CompiledQuery,
  ControlConnectionProvider,
  DatabaseConnection,
  Driver as KyselyDriver,
  QueryResult,
  TransactionSettings,
} from 'kysely'
import { faultError } from './read-error.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** A connection of a pool, as leases need it. */
export interface LeasedClient {
  /** True when a statement could be sent now. */
  readonly isReady: boolean
  run(text: string): Promise<unknown>
  /** Frees whoever waits and closes by reset. Never throws. Safe to call twice. */
  evict(): void
}

/** Connections that are lent. */
export interface LeasingPool<C extends LeasedClient> {
  readonly transactions: TransactionScope<C>
  acquire(): Promise<C>
  /** Gives a connection back, which is destroyed unless it is idle. */
  release(client: C): void
  close(withinMs: number): Promise<void>
}

/** What MikroORM lets an application do with each connection. */
export interface ConnectionHooks {
  readonly onCreate: ((connection: DatabaseConnection) => Promise<void>) | undefined
  readonly onReserve: ((connection: DatabaseConnection) => Promise<void>) | undefined
}

/** How a kind of database words its transactions. */
export interface TransactionWords {
  /** One after the other. */
  begin(settings: TransactionSettings): readonly string[]
  /** A name as it stands in a statement. */
  quoted(name: string): string
  /** What stands before the name of a savepoint to release it. */
  readonly release: string
}

/** What a driver for kysely is made of. */
export interface LeaseParts<C extends LeasedClient> {
  readonly pool: LeasingPool<C>
  readonly hooks: ConnectionHooks
  readonly words: TransactionWords
  lease(client: C): Lease<C>
}

/** kysely's driver that loses no connection, whichever of BEGIN, COMMIT and ROLLBACK fails. */
export function createLeaseDriver<C extends LeasedClient>(parts: LeaseParts<C>): KyselyDriver {
  return new LeaseDriver(parts)
}

class LeaseDriver<C extends LeasedClient> implements KyselyDriver {
  readonly #parts: LeaseParts<C>
  readonly #known = new WeakSet<C>()

  constructor(parts: LeaseParts<C>) {
    this.#parts = parts
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const { pool, hooks } = this.#parts
    const client = await pool.acquire()
    const lease = this.#parts.lease(client)
    try {
      if (!this.#known.has(client)) await hooks.onCreate?.(lease)
      this.#known.add(client)
      await hooks.onReserve?.(lease)
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
      for (const text of this.#parts.words.begin(settings)) await lease.control(text)
    } catch (error) {
      // kysely gives back only what has begun.
      lease.client.evict()
      lease.end()
      throw error
    }
    this.#parts.pool.transactions.begun(lease.client)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const lease = this.#leaseOf(connection)
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
    const lease = this.#leaseOf(connection)
    if (lease.isOver) return
    // A statement that still runs would have to be waited for.
    if (!lease.client.isReady) lease.client.evict()
    else await lease.control('rollback').catch(() => lease.client.evict())
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#leaseOf(connection).control(`savepoint ${this.#parts.words.quoted(name)}`)
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#leaseOf(connection).control(`rollback to ${this.#parts.words.quoted(name)}`)
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    const { release, quoted } = this.#parts.words
    await this.#leaseOf(connection).control(`${release} ${quoted(name)}`)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#leaseOf(connection).end()
  }

  async destroy(): Promise<void> {
    await this.#parts.pool.close(0)
  }

  #leaseOf(connection: DatabaseConnection): Lease<C> {
    if (connection instanceof Lease) return connection
    throw new TypeError('The connection is none of this driver.')
  }
}

/** A connection for as long as one holder has it: what comes after `end` runs on nobody else's. */
export abstract class Lease<C extends LeasedClient> implements DatabaseConnection {
  readonly client: C
  readonly #pool: Pick<LeasingPool<C>, 'release'>
  readonly #echo: ((text: string) => void) | undefined
  #isOver = false
  #isRunning = false
  #isAimedAt = false

  constructor(client: C, pool: Pick<LeasingPool<C>, 'release'>, echo: ((text: string) => void) | undefined) {
    this.client = client
    this.#pool = pool
    this.#echo = echo
  }

  /** Runs one statement. */
  protected abstract execute<R>(query: CompiledQuery): Promise<QueryResult<R>>
  /** Portions of rows, the last of which is empty; `close` never throws, and is called whatever happened. */
  protected abstract open(query: CompiledQuery, count: number): Portions
  /** Stops from outside what runs: the statement, or the session with it. */
  protected abstract stop(what: 'statement' | 'session', aim: Aim): Promise<void>

  get isOver(): boolean {
    return this.#isOver
  }

  /** Gives the connection back. Safe to call twice. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    // What aims at this connection may arrive late, and would hit whoever has it next.
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
      return await this.execute<R>(query)
    } finally {
      this.#isRunning = false
    }
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    this.#assertOpen()
    this.#note(query)
    const portions = this.open(query, chunkSize)
    try {
      for (;;) {
        const rows = (await portions.read(chunkSize)) as R[] // The row's type is the caller's claim, as kysely's own.
        if (rows.length === 0) return
        yield { rows }
      }
    } finally {
      await portions.close()
    }
  }

  async cancelQuery(_control: ControlConnectionProvider): Promise<void> {
    if (this.#isRunning) await this.stop('statement', () => this.#aim())
  }

  async killSession(_control: ControlConnectionProvider): Promise<void> {
    if (this.#isRunning) await this.stop('session', () => this.#aim())
  }

  async collectSessionInfo(): Promise<void> {}

  #aim(): boolean {
    if (!this.#isRunning) return false
    this.#isAimedAt = true
    return true
  }

  #assertOpen(): void {
    if (this.#isOver)
      throw faultError('statement', 'TRANSACTION_OVER', 'The transaction is over.', 'Begin another one.')
  }

  /** Texts without parameters are MikroORM's, with the values in them; its own logger tells them without. */
  #note({ sql, parameters, query }: CompiledQuery): void {
    if (parameters.length > 0 || query.kind !== 'RawNode') this.#echo?.(sql)
  }
}

/** To be asked right before something is sent that stops what runs. False: nothing runs any more, and nothing may be sent. */
export type Aim = () => boolean

/** Rows by portions. */
export interface Portions {
  read(count: number): Promise<readonly unknown[]>
  close(): Promise<void>
}
