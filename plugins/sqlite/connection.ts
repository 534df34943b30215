import type { AnyEntity, Configuration, EntityData } from '@mikro-orm/core'
import { SqliteConnection, SqliteDriver } from '@mikro-orm/sqlite'
import type { Dialect } from 'kysely'
import { nestedError, readOnlyError } from './faults.ts'
import { lateDialect, synced } from './kysely.ts'
import type { OpenFile } from './open-file.ts'

type Transactional = SqliteConnection['transactional']
type StreamArguments = Parameters<SqliteConnection['stream']>
type TransactionalOptions = NonNullable<Parameters<Transactional>[1]>

/** Opens the file that a connection stands on. Called again after a failure: none is kept. */
export type OpenFileOnce = () => Promise<OpenFile>

/** MikroORM's driver over our connection. One class per ORM: an ORM is never used again after `close()`. */
export function createDriverClass(open: OpenFileOnce): new (config: Configuration) => SqliteDriver {
  return class SafeSqliteDriver extends SqliteDriver {
    // Replaces the stock connection that the base constructor has made; that one opens nothing until it is used.
    protected override readonly connection: SafeSqliteConnection

    constructor(config: Configuration) {
      super(config)
      this.connection = new SafeSqliteConnection(config, open)
    }
  }
}

/**
 * MikroORM's SQLite connection on two handles. A subclass, not a dialect in `driverOptions`: that would lose
 * `getNativeClient()`, dumps, streams and routines.
 */
export class SafeSqliteConnection extends SqliteConnection {
  readonly #open: OpenFileOnce
  #opening: Promise<OpenFile> | null = null

  constructor(config: Configuration, open: OpenFileOnce) {
    super(config)
    this.#open = open
  }

  override createKyselyDialect(): Dialect {
    return lateDialect(() => this.#file())
  }

  /** As the stock one, and native statements inside `work` join. A second transaction inside is refused at once. */
  override async transactional<T>(
    work: Parameters<typeof SqliteConnection.prototype.transactional<T>>[0],
    options: TransactionalOptions = {},
  ): Promise<T> {
    if (options.ctx !== undefined) return super.transactional(work, options)
    await this.ensureConnection()
    const { transactions } = await this.#file()
    if (transactions.current !== null) throw nestedError()
    return transactions.around(work, (joined) => super.transactional(joined, options))
  }

  /**
   * As the stock one; inside a transaction all rows are read first. Its own handle would not see the transaction's rows
   * otherwise, an open iterator would block its writes, and kysely would make them wait for the stream's end.
   */
  override async *stream<T extends EntityData<AnyEntity>>(...given: StreamArguments): AsyncIterableIterator<T> {
    const [query, params, ctx, loggerContext] = given
    if (ctx === undefined) {
      yield* super.stream<T>(...given)
      return
    }
    yield* await this.execute<T[]>(query, params, 'all', ctx, loggerContext)
  }

  override async executeDump(dump: string): Promise<void> {
    await this.ensureConnection()
    const file = await this.#file()
    if (file.transactions.current !== null) throw nestedError()
    // Its text is not looked into: it could lift what refuses changes.
    if (file.own.isReadOnly) throw readOnlyError(null)
    const permit = await file.writer.take('a dump', file.limits.queryMs)
    try {
      file.own.author?.begin(null)
      file.own.native.exec(dump)
    } finally {
      file.own.undo()
      permit.release()
    }
    await synced(file)
  }

  override async close(force?: boolean): Promise<void> {
    const opening = this.#opening
    await super.close(force)
    const file = await opening?.catch(() => null)
    file?.close()
  }

  /** The file, opened once for all that ask; a failed opening is not kept. */
  #file(): Promise<OpenFile> {
    this.#opening ??= this.#open().then(
      (file) => {
        // The stock class declares this field private and reads it in getNativeClient() and callRoutine().
        Reflect.set(this, 'database', file.own.native)
        return file
      },
      (error: unknown) => {
        this.#opening = null
        throw error
      },
    )
    return this.#opening
  }
}
