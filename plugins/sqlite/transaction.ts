import { AsyncLocalStorage } from 'node:async_hooks'
import type { Row, Statement, Value, Written } from '../../src/driver/facet/statements.ts'
import { faultError } from '../../src/driver/kit/driver-kit.ts'
import { whileBusy } from './busy.ts'
import type { Handle } from './handle.ts'
import { writeFirst } from './journal/requests.ts'
import type { Sync } from './sync.ts'
import type { Permit } from './writer.ts'

/** A writer that was taken beforehand, for the next transaction in this context to begin with. */
export interface WriterReservation {
  permit: Permit | null
  readonly signal: AbortSignal
}

/** How the schema lock hands its writer to the transaction that MikroORM begins. */
export const reservedWriter: AsyncLocalStorage<WriterReservation> = new AsyncLocalStorage<WriterReservation>()

/** What a transaction needs of the file that it runs on. */
export interface Ground {
  readonly own: Handle
  readonly sync: Sync
  readonly limits: { readonly queryMs: number; readonly transactionMs: number }
}

/**
 * One transaction of an EntityManager on the own handle. It has the writer from BEGIN IMMEDIATE to its end, whatever
 * the end is: commit, rollback, an error, an idle caller, or SQLite's own rollback.
 */
export class OwnTransaction {
  readonly #ground: Ground
  readonly #permit: Permit
  readonly #idle: NodeJS.Timeout
  #usedAt = performance.now()
  #end: Error | null = null

  private constructor(ground: Ground, permit: Permit) {
    this.#ground = ground
    this.#permit = permit
    this.#idle = setInterval(() => this.#endWhenIdle(), Math.max(10, ground.limits.transactionMs / 4))
    this.#idle.unref()
  }

  /**
   * BEGIN IMMEDIATE, or a plain BEGIN while the store is read-only; the permit is released when that fails.
   *
   * @throws FaultError `STORE_BUSY` when a foreign process holds the lock past the limit.
   */
  static async begin(ground: Ground, permit: Permit, limitMs: number, signal?: AbortSignal): Promise<OwnTransaction> {
    try {
      if (ground.sync.failure !== null) throw ground.sync.failure
      // A transaction that only reads needs no lock, and `query_only` refuses the lock of one that writes.
      const begin = (): unknown => ground.own.native.exec(ground.own.isReadOnly ? 'begin' : 'begin immediate')
      await whileBusy(begin, limitMs, signal)
      ground.own.author?.begin(null)
      return new OwnTransaction(ground, permit)
    } catch (error) {
      permit.release()
      throw error
    }
  }

  /** Runs a statement inside; throws when the transaction is over, so nothing commits by itself behind its back. */
  run<T>(work: (handle: Handle) => T): T {
    this.#assertAlive()
    this.#usedAt = performance.now()
    return work(this.#ground.own)
  }

  /** A native statement that joins: reads see the transaction's own changes. */
  read(sql: string, values: readonly Value[]): readonly Row[] {
    return this.run((handle) => handle.rows(sql, handle.prepare(sql), values))
  }

  /** A native write that joins, in a savepoint: it fails alone. */
  write(sql: string, values: readonly Value[], first: Statement | null = null): Written {
    return this.run((handle) => {
      const prepared = handle.prepare(sql)
      return this.#inSavepoint(handle, () => {
        if (first !== null) writeFirst(handle, first)
        return handle.write(sql, prepared, values)
      })
    })
  }

  /** Resolves when the changes are durable. On failure they are rolled back and the writer is released all the same. */
  async commit(): Promise<void> {
    const { own, sync, limits } = this.#ground
    try {
      this.#assertAlive()
      await whileBusy(() => own.native.exec('commit'), limits.queryMs)
      this.#finish(overError())
    } catch (error) {
      this.rollback()
      throw error
    }
    const { after } = sync
    if (after === null) return
    await new Promise<void>((resolve, reject) => {
      after((error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** Never throws: what a rollback cannot undo, SQLite has undone already. */
  rollback(): void {
    this.#undo()
    this.#finish(overError())
  }

  #inSavepoint({ native }: Handle, write: () => Written): Written {
    native.exec('savepoint native')
    try {
      const written = write()
      native.exec('release native')
      return written
    } catch (error) {
      if (native.inTransaction) native.exec('rollback to native; release native')
      throw error
    }
  }

  #assertAlive(): void {
    if (this.#end !== null) throw this.#end
    if (this.#ground.own.native.open && this.#ground.own.native.inTransaction) return
    // An ON CONFLICT ROLLBACK or a full disk: what came next would commit statement by statement.
    this.#finish(
      faultError(
        'transient',
        'SQLITE_TRANSACTION_GONE',
        'SQLite rolled back the whole transaction after an error in it.',
        'Begin the transaction again.',
      ),
    )
    throw this.#end ?? overError()
  }

  #endWhenIdle(): void {
    const { transactionMs } = this.#ground.limits
    if (performance.now() - this.#usedAt < transactionMs) return
    this.#undo()
    this.#finish(
      faultError(
        'transient',
        'SQLITE_TRANSACTION_TIMEOUT',
        `The transaction was idle for ${transactionMs} ms and was rolled back: it held the one writer.`,
        'Keep transactions short, or raise TRANSACTION_TIMEOUT.',
      ),
    )
  }

  #undo(): void {
    if (this.#end === null) this.#ground.own.undo()
  }

  #finish(end: Error): void {
    if (this.#end !== null) return
    this.#end = end
    clearInterval(this.#idle)
    this.#permit.release()
  }
}

function overError(): Error {
  return faultError('statement', 'SQLITE_TRANSACTION_OVER', 'The transaction is over.', 'Begin another one.')
}
