import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteDialect,
  SqliteQueryCompiler,
} from 'kysely'
import type { Row } from '../../src/driver/facet/statements.ts'
import { whileBusy } from './busy.ts'
import { exactRows, streamedRows } from './exact.ts'
import { nestedError } from './faults.ts'
import { type Handle, kindOf, nativeValues, type Prepared } from './handle.ts'
import { quote } from './journal/quote.ts'
import type { OpenFile } from './open-file.ts'
import { OwnTransaction, reservedWriter } from './transaction.ts'

/** A dialect whose connections are bound to a handle only when a statement or a BEGIN says which. */
export function lateDialect(open: () => Promise<OpenFile>): Dialect {
  const stock = new SqliteDialect({ database: () => Promise.reject(new Error('unreachable: the driver is ours')) })
  return {
    createDriver: () => new LateDriver(open),
    createAdapter: () => new LateAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => stock.createIntrospector(db),
  }
}

/** Our own line for the writer replaces kysely's mutex over one connection, under which reads wait for transactions. */
class LateAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

class LateDriver implements Driver {
  readonly #open: () => Promise<OpenFile>
  #file: OpenFile | null = null

  constructor(open: () => Promise<OpenFile>) {
    this.#open = open
  }

  async init(): Promise<void> {
    this.#file = await this.#open()
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#file === null) throw new Error('unreachable: kysely inits a driver first')
    return new LateConnection(this.#file)
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await late(connection).begin()
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await late(connection).transaction?.commit()
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    late(connection).transaction?.rollback()
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    late(connection).control(`savepoint ${quote(name)}`)
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    late(connection).control(`rollback to ${quote(name)}`)
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    late(connection).control(`release ${quote(name)}`)
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#file?.close()
  }
}

function late(connection: DatabaseConnection): LateConnection {
  if (connection instanceof LateConnection) return connection
  throw new TypeError('The connection belongs to another driver.')
}

class LateConnection implements DatabaseConnection {
  readonly #file: OpenFile
  transaction: OwnTransaction | null = null

  constructor(file: OpenFile) {
    this.#file = file
  }

  async begin(): Promise<void> {
    const { writer, limits } = this.#file
    if (this.#file.transactions.current !== null) throw nestedError()
    const reserved = reservedWriter.getStore()
    if (reserved?.permit != null) {
      const { permit } = reserved
      reserved.permit = null
      // The reservation's signal is the limit; an hour stands for "none".
      this.transaction = await OwnTransaction.begin(this.#file, permit, 3_600_000, reserved.signal)
    } else {
      const permit = await writer.take('a transaction', limits.queryMs)
      this.transaction = await OwnTransaction.begin(this.#file, permit, limits.queryMs)
    }
    this.#file.transactions.begun(this.transaction)
  }

  control(sql: string): void {
    if (this.transaction === null) throw new TypeError('Savepoints need a transaction.')
    this.transaction.run((handle) => handle.native.exec(sql))
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { transaction } = this
    if (transaction !== null)
      return transaction.run((handle) => execute<R>(handle, prepareInside(handle, query), query))
    const { hot } = this.#file
    if (kindOf(query.sql) === 'setting') {
      return this.#writeAlone((own) => {
        execute(hot, hot.prepareAny(query.sql), query)
        return execute<R>(own, own.prepareAny(query.sql), query)
      })
    }
    const prepared = prepare(hot, query)
    if (prepared.kind === 'read') {
      return whileBusy(() => execute<R>(hot, prepared, query), this.#file.limits.queryMs)
    }
    return this.#writeAlone((own) => execute<R>(own, prepare(own, query), query))
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    if (this.transaction !== null) {
      // Its own handle would not see the transaction's rows, and an open iterator would block its writes: read at once.
      const { rows } = await this.executeQuery<R>(query)
      for (const row of rows) yield { rows: [row] }
      return
    }
    const handle = this.#file.openStream()
    try {
      const prepared = handle.prepareOnce(query.sql)
      for (const row of streamedRows(prepared, nativeValues(query.parameters))) yield { rows: [row as R] }
    } finally {
      this.#file.closeStream(handle)
    }
  }

  /** An autocommitted statement: the writer goes before the sync is waited for. */
  async #writeAlone<T>(run: (own: Handle) => T): Promise<T> {
    const { writer, own, sync, limits } = this.#file
    if (this.#file.transactions.current !== null) throw nestedError()
    if (sync.failure !== null) throw sync.failure
    const permit = await writer.take('a statement', limits.queryMs)
    let result: T
    try {
      own.author?.begin(null)
      result = await whileBusy(() => run(own), limits.queryMs)
    } finally {
      permit.release()
    }
    await synced(this.#file)
    return result
  }
}

/** Resolves when all that was committed is durable. */
export async function synced(file: OpenFile): Promise<void> {
  const { after } = file.sync
  if (after === null) return
  await new Promise<void>((resolve, reject) => {
    after((error) => (error === null ? resolve() : reject(error)))
  })
}

/** Texts without parameters hold their values (MikroORM writes them so) and would only fill the cache. */
function prepare(handle: Handle, query: CompiledQuery): Prepared {
  return query.parameters.length === 0 ? handle.prepareOnce(query.sql) : handle.prepare(query.sql)
}

/** Inside a transaction a setting and a savepoint of the caller's own are its own affair. */
function prepareInside(handle: Handle, query: CompiledQuery): Prepared {
  const kind = kindOf(query.sql)
  return kind === 'setting' || kind === 'control' ? handle.prepareAny(query.sql) : prepare(handle, query)
}

/** As kysely's own: a statement gives either rows or counts. The row's type is the caller's claim. */
function execute<R>(handle: Handle, prepared: Prepared, query: CompiledQuery): QueryResult<R> {
  // These texts are MikroORM's, with the values in them; its own logger prints them without (orm-options.ts).
  if (query.parameters.length > 0 || query.query.kind !== 'RawNode') handle.note(query.sql)
  const values = nativeValues(query.parameters)
  try {
    if (prepared.isReader) return { rows: exactRows(prepared, values) as readonly Row[] as R[] }
    const { changes, lastInsertRowid } = prepared.statement.run(values)
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
  } catch (error) {
    throw handle.errorFrom(error)
  }
}
