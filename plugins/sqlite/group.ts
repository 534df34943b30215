import type { Statement, Value, Written } from '../../src/driver/facet/statements.ts'
import { faultError } from '../../src/driver/kit/driver-kit.ts'
import { whileBusy } from './busy.ts'
import { busyError, closedError, isBusy, readOnlyError } from './faults.ts'
import type { Handle, Prepared } from './handle.ts'
import { writeFirst } from './journal/requests.ts'
import type { Sync } from './sync.ts'
import type { Permit, Writer } from './writer.ts'

/** One write of one caller. */
interface Item {
  readonly sql: string
  readonly values: readonly Value[]
  /** Of its local transaction; null: the store draws it. */
  readonly attempt: string | null
  /** What comes before it, as one with it. */
  readonly first: Statement | null
  readonly since: number
  readonly resolve: (written: Written) => void
  readonly reject: (error: unknown) => void
  written: Written | null
  error: unknown
}

/** One transaction's worth: the event loop stands still for as long as it takes. */
const groupMax = 256
/** Writes that may wait; beyond this a write is rejected at once. */
const pendingMax = 20_000
const label = 'a group of writes'

/**
 * The writes of one turn of the event loop as one transaction on the hot handle: one sync for all, and one
 * that fails does not fail another. A write on a quiet loop is carried out at once.
 */
export class GroupCommit {
  readonly #handle: Handle
  readonly #writer: Writer
  readonly #sync: Sync
  readonly #limitMs: number
  readonly #control: Readonly<Record<'begin' | 'commit' | 'mark' | 'keep' | 'undo', Prepared>>
  #pending: Item[] = []
  #isAwaited = false
  #isInLine = false
  #isClosed = false
  /** Whether at most one write came in the last turn of the event loop. */
  #isQuiet = true
  #timer: NodeJS.Timeout | null = null

  constructor(handle: Handle, writer: Writer, sync: Sync, limitMs: number) {
    this.#handle = handle
    this.#writer = writer
    this.#sync = sync
    this.#limitMs = limitMs
    this.#control = {
      begin: handle.prepareAny('begin immediate'),
      commit: handle.prepareAny('commit'),
      mark: handle.prepareAny('savepoint one'),
      keep: handle.prepareAny('release one'),
      undo: handle.prepareAny('rollback to one'),
    }
  }

  /** Resolves when the write is as durable as the file promises. */
  write(
    sql: string,
    values: readonly Value[],
    attempt: string | null,
    first: Statement | null = null,
  ): Promise<Written> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal()
      if (refusal !== null) {
        reject(refusal)
        return
      }
      this.#pending.push({
        sql,
        values,
        attempt,
        first,
        since: performance.now(),
        resolve,
        reject,
        written: null,
        error: null,
      })
      if (this.#isInLine && this.#timer === null) this.#watch()
      if (this.#isAwaited) return
      this.#isAwaited = true
      // The check phase comes after the poll phase, so requests that arrived together are written together.
      setImmediate(this.#turn)
      if (this.#isQuiet) this.#writeNow()
    })
  }

  /** While writes come one by one, there is nothing to wait for. */
  #writeNow(): void {
    const permit = this.#writer.tryTake(label)
    if (permit !== null) this.#carryOut(this.#pending.splice(0), permit)
  }

  #refusal(): Error | null {
    if (this.#sync.failure !== null) return this.#sync.failure
    if (this.#handle.isReadOnly) return readOnlyError(null)
    return this.#pending.length >= pendingMax ? busyError('Too many writes are waiting.') : null
  }

  /** Refuses what still waits. */
  close(): void {
    this.#isClosed = true
    this.#leaveLine()
    for (const item of this.#pending.splice(0)) item.reject(closedError())
  }

  readonly #turn = (): void => {
    const size = this.#pending.length
    // The first write of a quiet turn is not among them: it was carried out at once.
    this.#isQuiet = size === 0 || (size === 1 && !this.#isQuiet)
    if (size === 0) {
      this.#isAwaited = false
      return
    }
    const permit = this.#writer.tryTake(label)
    if (permit !== null) {
      this.#run(permit)
      return
    }
    this.#isInLine = true
    this.#watch()
    this.#writer.line(label, this.#run, (error) => {
      this.#leaveLine()
      this.#isAwaited = false
      for (const item of this.#pending.splice(0)) item.reject(error)
    })
  }

  /** Frees the callers whose wait is over; the place in the line is kept for the others. */
  #watch(): void {
    const oldest = this.#pending[0]
    if (oldest === undefined) return
    const leftMs = Math.max(1, oldest.since + this.#limitMs - performance.now())
    this.#timer = setTimeout(() => {
      this.#timer = null
      const until = performance.now() - this.#limitMs
      const late = this.#pending.findIndex((item) => item.since > until)
      const error = this.#writer.busy()
      for (const item of this.#pending.splice(0, late < 0 ? this.#pending.length : late)) item.reject(error)
      this.#watch()
    }, leftMs)
  }

  readonly #run = (permit: Permit): void => {
    this.#leaveLine()
    const items = this.#pending.length <= groupMax ? this.#pending : this.#pending.slice(0, groupMax)
    this.#pending = items === this.#pending ? [] : this.#pending.slice(groupMax)
    this.#isAwaited = this.#pending.length > 0
    this.#carryOut(items, permit)
    if (this.#isAwaited) setImmediate(this.#turn)
  }

  #carryOut(items: readonly Item[], permit: Permit): void {
    const left = items.length === 0 ? items : this.#attemptAll(items)
    if (left.length === 0) this.#finish(items, permit)
    else void this.#again(items, left, permit)
  }

  #leaveLine(): void {
    this.#isInLine = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** A foreign process has the lock: the writer is kept, the event loop is not. */
  async #again(items: readonly Item[], left: readonly Item[], permit: Permit): Promise<void> {
    let rest = left
    try {
      await whileBusy(() => {
        rest = this.#attemptAll(rest)
        if (rest.length > 0) throw rest[0]?.error
      }, this.#limitMs)
    } catch (error) {
      for (const item of rest) item.error = error
    }
    this.#finish(items, permit)
  }

  #finish(items: readonly Item[], permit: Permit): void {
    permit.release()
    let isWritten = false
    for (const item of items) {
      if (item.written === null) item.reject(item.error)
      else isWritten = true
    }
    if (!isWritten) return
    if (this.#sync.after === null) settle(items, null)
    else this.#sync.after((error) => settle(items, error), this.#isQuiet && items.length === 1)
  }

  /** Never throws: every caller is answered and the writer is released, even after a defect here. */
  #attemptAll(items: readonly Item[]): readonly Item[] {
    try {
      return this.#attempt(items)
    } catch (cause) {
      this.#handle.undo()
      const summary = 'A group of writes ended with an unknown outcome.'
      const more = { cause, ambiguous: true }
      return failed(items, faultError('lost', 'SQLITE_GROUP_FAILED', summary, 'See the cause in the log.', more))
    }
  }

  /** Runs the items, together if that can be. Returns those that met a foreign lock; the others are done or failed. */
  #attempt(items: readonly Item[]): readonly Item[] {
    for (const item of items) {
      item.error = null
      item.written = null
    }
    const gone = this.#handle.failure ?? (this.#isClosed ? closedError() : null)
    if (gone !== null) return failed(items, gone)
    const only = items[0]
    if (items.length === 1 && only !== undefined) return this.#alone(only) ? [] : items
    // Savepoints take as long as the writes that they part, and are needed only where one fails.
    let outcome = this.#together(items, false)
    if (outcome === 'apart') outcome = this.#together(items, true)
    if (outcome === 'done') return []
    if (outcome === 'busy') return items
    return items.filter((item) => !this.#alone(item))
  }

  /** `isParted`: each write is undone by itself when it fails; otherwise all are, and the result is `apart`. */
  #together(items: readonly Item[], isParted: boolean): 'done' | 'busy' | 'apart' {
    const { begin, commit, mark, keep } = this.#control
    try {
      begin.statement.run()
    } catch (error) {
      failed(items, this.#handle.errorFrom(error))
      return isBusy(error) ? 'busy' : 'done'
    }
    for (const item of items) {
      try {
        if (isParted) mark.statement.run()
        item.written = this.#execute(item)
        if (isParted) keep.statement.run()
      } catch (error) {
        item.error = error
        item.written = null
        if (!isParted) {
          this.#handle.undo()
          return 'apart'
        }
        // ON CONFLICT ROLLBACK, a full disk: SQLite rolled back the whole transaction, not only this write.
        if (!this.#undoOne()) return 'apart'
      }
    }
    try {
      commit.statement.run()
      return 'done'
    } catch (error) {
      const isUndone = this.#handle.undo()
      if (isUndone && !isBusy(error)) return 'apart'
      failed(items, error)
      return isUndone ? 'busy' : 'done'
    }
  }

  /** False when a foreign lock was met; true when it is done or failed for good. */
  #alone(item: Item): boolean {
    item.error = null
    item.written = null
    try {
      this.#control.begin.statement.run()
      const written = this.#execute(item)
      this.#control.commit.statement.run()
      item.written = written
    } catch (error) {
      item.error = this.#handle.errorFrom(error)
      this.#handle.undo()
      return !isBusy(error)
    }
    return true
  }

  #execute(item: Item): Written {
    // Each write is a local transaction of its own, also where several share one of SQLite's.
    this.#handle.author?.begin(item.attempt)
    if (item.first !== null) writeFirst(this.#handle, item.first)
    const prepared = this.#handle.prepare(item.sql)
    return this.#handle.write(item.sql, prepared, item.values)
  }

  #undoOne(): boolean {
    if (!this.#handle.native.inTransaction) return false
    try {
      this.#control.undo.statement.run()
      this.#control.keep.statement.run()
      return true
    } catch {
      this.#handle.undo()
      return false
    }
  }
}

function failed(items: readonly Item[], error: unknown): readonly Item[] {
  for (const item of items) {
    item.error = error
    item.written = null
  }
  return []
}

function settle(items: readonly Item[], error: unknown): void {
  for (const item of items) {
    if (item.written === null) continue
    if (error === null) item.resolve(item.written)
    else item.reject(error)
  }
}
