import type { Engine } from '../../src/driver/driver.ts'
import type { SchemaLock } from '../../src/driver/facet/schema-lock.ts'
import type { Statements } from '../../src/driver/facet/statements.ts'
import {
  type ArchiveSource,
  type Copy,
  type CopyView,
  isolatedOrmOptions,
  type Journal,
  type JournalView,
  type LocalRows,
  type MikroORM,
  type OrmOptions,
  type SqlEntityManager,
} from '../../src/driver/kit/driver-kit.ts'
import { createDriverClass } from './connection.ts'
import { FileCopyView } from './copy/view.ts'
import { nestedError } from './faults.ts'
import { FileRows } from './journal/local-rows.ts'
import { FileJournalView } from './journal/view.ts'
import type { OpenFile } from './open-file.ts'
import { reservedWriter } from './transaction.ts'

/** The parts of the engine of a file. */
export interface FileEngineParts {
  readonly path: string
  /** Called when the ORM connects, and again after a failure. */
  open(): Promise<OpenFile>
  readonly echo: ((sql: string) => void) | undefined
  /** Resolves when the file is as gone as it is to be. */
  removed(): Promise<void>
}

/** The engine of one file: it keeps the open file that its ORM connected with. */
export class FileEngine implements Engine {
  readonly ormOptions: OrmOptions
  readonly #parts: FileEngineParts
  #file: OpenFile | null = null

  constructor(parts: FileEngineParts) {
    this.#parts = parts
    const open = async (): Promise<OpenFile> => {
      this.#file = await parts.open()
      return this.#file
    }
    this.ormOptions = isolatedOrmOptions({ driver: createDriverClass(open), dbName: parts.path }, parts.echo)
  }

  /** @throws TypeError when the ORM is not connected. */
  get file(): OpenFile {
    if (this.#file === null) throw new TypeError('The ORM is not connected.')
    return this.#file
  }

  statements(): Statements {
    const { file } = this
    return {
      read: (sql, values) => file.read(sql, values),
      write: (sql, values, note) => file.write(sql, values, note),
      takesFirst: true,
      generation: (turn) => file.generation(turn),
    }
  }

  /** One BEGIN IMMEDIATE: no other process writes at the same time, and a dead holder's lock is gone with it. */
  schemaLock(orm: MikroORM): SchemaLock {
    const { file } = this
    return {
      async hold<R>(signal: AbortSignal, change: (em: SqlEntityManager) => Promise<R>): Promise<R> {
        signal.throwIfAborted()
        if (file.transactions.current !== null) throw nestedError()
        const permit = await file.writer.take('a schema change', null, signal)
        try {
          return await reservedWriter.run({ permit, signal }, () => orm.em.fork().transactional((em) => change(em)))
        } finally {
          permit.release()
        }
      },
    }
  }

  journal(): Journal | null {
    return this.file.journal
  }

  journalView(): JournalView | null {
    const { file } = this
    return FileJournalView.of(file.hot, file.limits.queryMs)
  }

  copy(): Copy | null {
    return this.file.copy
  }

  copyView(): CopyView | null {
    return FileCopyView.of(this.file.hot)
  }

  localRows(): LocalRows | null {
    const { file } = this
    return file.isLocal ? new FileRows(file.hot, file.limits.queryMs) : null
  }

  archive(): ArchiveSource | null {
    return this.file.archive
  }

  setReadOnly(_orm: MikroORM, on: boolean): void {
    this.file.setReadOnly(on)
  }

  async close(orm: MikroORM, withinMs: number): Promise<void> {
    const file = this.#file
    if (file !== null) {
      await idle(file, withinMs)
      await file.settle()
      file.close()
      this.#file = null
    }
    // MikroORM has nothing left to wait for; what it still throws is about its own state.
    await orm.close(true).catch(() => {})
    await this.#parts.removed()
  }
}

/** Waits until nothing is written; at most `withinMs`. */
async function idle(file: OpenFile, withinMs: number): Promise<void> {
  const signal = AbortSignal.timeout(Math.max(0, withinMs))
  try {
    const permit = await file.writer.take('closing', null, signal)
    permit.release()
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      if (file.sync.after === null) resolve()
      else file.sync.after(() => resolve())
    })
  } catch {
    // Time is up: what is still open is undone by the reset that follows.
  }
}
