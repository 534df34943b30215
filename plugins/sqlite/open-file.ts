import type { Limits } from '../../src/driver/driver.ts'
import type { Row, Statement, Value, Written } from '../../src/driver/facet/statements.ts'
import { faultError, TransactionScope } from '../../src/driver/kit/driver-kit.ts'
import { FileArchive } from './archive/source.ts'
import { whileBusy } from './busy.ts'
import { Checkpointer } from './checkpoint.ts'
import { FileCopy } from './copy/copy.ts'
import { isBusy } from './faults.ts'
import { Generation } from './generation.ts'
import { GroupCommit } from './group.ts'
import { applySettings, Handle, openNative, type Prepared } from './handle.ts'
import { Author, type JournalGate } from './journal/author.ts'
import { FileJournal } from './journal/journal.ts'
import { JournalRoom } from './journal/room.ts'
import { OwnChanges } from './own-changes.ts'
import { enterService } from './proof/open-files.ts'
import { FullSync, type Sync, WalSync } from './sync.ts'
import type { JournalMode } from './target.ts'
import type { OwnTransaction } from './transaction.ts'
import { Writer } from './writer.ts'

/** Streams at once: each has a native connection of its own. */
const streamsMax = 16

/** What a write comes with. */
interface FileNote {
  readonly attempt?: string | null
  readonly first?: Statement | null
}

/** How a checked file is to be opened. */
export interface OpenOptions {
  readonly path: string
  readonly journalMode: JournalMode
  /** Commits are synced off the event loop; only with a WAL. */
  readonly isAsync: boolean
  readonly limits: Limits
  /** Changes are journaled; the file has the tables for it. */
  readonly isJournaling: boolean
  /** It is the file of a local store. */
  readonly isLocal: boolean
  /** Its changes are archived; it has a WAL. */
  readonly isArchived: boolean
  /** Called once, when the file is closed. */
  readonly left?: () => void
}

/**
 * A SQLite file in service: a hot handle for native reads and group commits, an own handle for EntityManager
 * transactions, and one line for the writer. The hot handle is never in a transaction across an `await`, so a read
 * neither waits nor sees what is not committed.
 */
export class OpenFile {
  readonly path: string
  readonly hot: Handle
  readonly own: Handle
  readonly writer: Writer
  /** How native statements find the EntityManager transaction that they join. */
  readonly transactions: TransactionScope<OwnTransaction> = new TransactionScope()
  readonly sync: Sync
  readonly limits: Limits
  /** Null: the file stands next to no primary. */
  readonly journal: FileJournal | null
  /** Null: the file stands next to no primary. */
  readonly copy: FileCopy | null
  readonly isLocal: boolean
  /** Null: its changes are not archived. */
  readonly archive: FileArchive | null
  readonly #generation: Generation
  readonly #group: GroupCommit
  readonly #checkpointer: Checkpointer
  readonly #streams: Set<Handle> = new Set()
  readonly #leave: () => void
  readonly #left: (() => void) | undefined
  #isClosed = false

  private constructor(options: OpenOptions, hot: Handle, own: Handle) {
    this.path = options.path
    this.limits = options.limits
    this.isLocal = options.isLocal
    this.hot = hot
    this.own = own
    this.#generation = new Generation(hot)
    this.writer = new Writer(() => this.#generation.advance())
    this.#checkpointer = new Checkpointer(options.path, (isAutomatic) => this.#setAutomatic(isAutomatic))
    this.sync = options.isAsync
      ? new WalSync(options.path, (isSlow) => this.#synced(isSlow))
      : new FullSync(options.path)
    this.#group = new GroupCommit(hot, this.writer, this.sync, options.limits.queryMs)
    const kept = options.isJournaling ? this.#openJournal() : null
    this.journal = kept?.journal ?? null
    this.copy = kept?.copy ?? null
    this.archive = options.isArchived ? this.#openArchive() : null
    // Nothing may fail behind these: the caller leaves only what has opened.
    this.#leave = enterService(options.path)
    this.#left = options.left
  }

  /** Of an archived file only the archive carries the WAL. */
  #synced(isSlow: boolean): void {
    if (this.archive === null) this.#checkpointer.committed(isSlow)
  }

  #openArchive(): FileArchive {
    const { path, hot, writer, sync, limits } = this
    const setAutomatic = (isAutomatic: boolean): void => this.#setAutomaticPages(isAutomatic ? unbegunPages : 0)
    return new FileArchive({ path, hot, writer, sync, limitMs: limits.queryMs, setAutomatic })
  }

  #openJournal(): { readonly journal: FileJournal; readonly copy: FileCopy } {
    const { hot, own, writer, sync, limits } = this
    const room = new JournalRoom(this.path)
    const gate: JournalGate = { isServing: false, limitBytes: Number.POSITIVE_INFINITY, room }
    const author = new Author(hot.native, gate)
    const ownAuthor = new Author(own.native, gate)
    hot.author = author
    own.author = ownAuthor
    const limitMs = limits.queryMs
    const changes = new OwnChanges({ hot, writer, sync, limitMs, author })
    const committed = (isMuch: boolean): void => {
      if (sync.after !== null) this.#checkpointer.committed(isMuch)
    }
    const copy = new FileCopy({ hot, changes, room, committed })
    return { copy, journal: new FileJournal({ hot, writer, changes, copy, limitMs, gate, ownAuthor }) }
  }

  /** Opens both handles. @throws what `classify` reads; then nothing is open. */
  static async open(options: OpenOptions): Promise<OpenFile> {
    const opened: Handle[] = []
    try {
      const { connectMs, echo } = options.limits
      for (let count = 0; count < 2; count += 1) {
        const handle = new Handle(openNative(options.path, { mustExist: true }), echo)
        opened.push(handle)
        await whileBusy(() => setUp(handle, options), connectMs)
      }
      const [hot, own] = opened
      if (hot === undefined || own === undefined) throw new Error('unreachable: two handles were opened')
      return new OpenFile(options, hot, own)
    } catch (error) {
      for (const handle of opened) handle.close()
      throw error
    }
  }

  /** A statement that changes nothing; inside a transaction it sees that transaction's changes. */
  read(sql: string, values: readonly Value[]): Promise<readonly Row[]> {
    const transaction = this.transactions.current
    try {
      const handle = transaction === null ? this.hot : this.own
      const prepared = handle.prepare(sql)
      assertReading(prepared)
      if (transaction !== null) return Promise.resolve(transaction.read(sql, values))
      return Promise.resolve(handle.rows(sql, prepared, values))
    } catch (error) {
      // Inside a transaction another handle would not see its changes.
      if (transaction !== null || !isBusy(error)) return Promise.reject(error)
      return whileBusy(() => this.hot.rows(sql, this.hot.prepare(sql), values), this.limits.queryMs)
    }
  }

  /** The number of the state that reads see, which grows with each change; null inside a transaction. */
  generation(turn: number): number | null {
    return this.transactions.current === null ? this.#generation.at(turn) : null
  }

  /** One statement, atomic and durable; inside a transaction a part of it, and of that one's attempt. */
  write(sql: string, values: readonly Value[], { attempt = null, first = null }: FileNote = {}): Promise<Written> {
    const transaction = this.transactions.current
    if (transaction === null) return this.#group.write(sql, values, attempt, first)
    try {
      return Promise.resolve(transaction.write(sql, values, first))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Whether SQLite refuses every change on both handles; what is being committed may end. */
  setReadOnly(on: boolean): void {
    for (const handle of [this.hot, this.own]) handle.setReadOnly(on)
  }

  #setAutomatic(isAutomatic: boolean): void {
    this.#setAutomaticPages(isAutomatic ? automaticPages : 0)
  }

  #setAutomaticPages(pages: number): void {
    if (this.#isClosed) return
    for (const { native } of [this.hot, this.own]) {
      if (native.open) native.pragma(`wal_autocheckpoint = ${pages}`)
    }
  }

  /** A read-only handle for one stream: while a handle has an open iterator every write on it throws. */
  openStream(): Handle {
    if (this.#streams.size >= streamsMax) {
      const summary = `More than ${streamsMax} streams are open.`
      throw faultError('capacity', 'SQLITE_STREAMS', summary, 'Read the streams to their ends, or break out of them.')
    }
    const handle = new Handle(openNative(this.path, { readonly: true, mustExist: true }), this.limits.echo)
    this.#streams.add(handle)
    return handle
  }

  /** Ends a stream's handle. Safe to call twice. */
  closeStream(handle: Handle): void {
    this.#streams.delete(handle)
    handle.close()
  }

  /** Ends the threads that carry the WAL; then `close` is quick. */
  async settle(): Promise<void> {
    await Promise.all([this.#checkpointer.end(), this.archive?.settle()])
  }

  /** Ends everything at once; an open transaction is undone. Safe to call twice. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#group.close()
    this.writer.close()
    for (const stream of this.#streams) this.closeStream(stream)
    void this.#checkpointer.end()
    this.archive?.close()
    this.sync.close()
    this.own.close()
    // Last: the last handle to close removes the WAL, which another one may still read.
    this.hot.close()
    this.#leave()
    this.#left?.()
  }
}

/** SQLite's own default, in pages. */
const automaticPages = 1_000

/** While an archived file's archive has not begun, or has ended: its WAL is left alone as long as that is no harm. */
const unbegunPages = 16_000

function setUp(handle: Handle, options: OpenOptions): void {
  const { native } = handle
  native.pragma(`journal_mode = ${options.journalMode}`)
  if (options.isArchived) native.pragma(`wal_autocheckpoint = ${unbegunPages}`)
  applySettings(native, { synchronous: options.isAsync ? 'normal' : 'full' })
}

function assertReading(prepared: Prepared): void {
  if (prepared.kind === 'read') return
  const hint = 'Write through "write", and change settings through the EntityManager.'
  throw faultError(
    'statement',
    'SQLITE_STATEMENT_REFUSED',
    'A statement that changes something cannot be run as a read.',
    hint,
  )
}
