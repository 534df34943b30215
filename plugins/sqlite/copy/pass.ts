import {
  type CopyChange,
  type CopyOutcome,
  type FedRow,
  faultError,
  type Image,
} from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { quote } from '../journal/quote.ts'
import { keptStatement } from './kept-statements.ts'
import { recordProgress } from './looks.ts'
import type { Marking, Marks } from './marks.ts'
import type { CopyRecord } from './reader.ts'
import { defectOf, type RowWriter, rowGroupSize } from './row-writer.ts'
import { markKeyOf } from './values.ts'

/** What one transaction of a pass has done. */
export interface Portion extends CopyOutcome {
  /** How many of the removals and rows are settled. */
  readonly removals: number
  readonly rows: number
  /** Nothing is left behind it. */
  readonly isLast: boolean
}

/** A portion in the making. */
interface Counts {
  removals: number
  rows: number
  written: number
  removed: number
  waiting: number
  readonly refused: { readonly key: string; readonly why: string }[]
}

/** A row on its way into the table. */
interface Placed {
  readonly row: FedRow
  readonly marking: Marking & { readonly bytes: number }
}

const nothingDone: CopyOutcome = { written: 0, removed: 0, waiting: 0, refused: [] }

/** A group of rows ends with so many bytes of images. */
const groupBytes = 64 * 1_024

/** What writes one table and its marks. */
export interface TableWriter {
  readonly rows: RowWriter
  readonly marks: Marks
}

/** Applies one change to one table, in portions, each of which runs in a transaction of its own: first removals, then rows. */
export class CopyPass {
  readonly #native: Native
  readonly #record: CopyRecord
  readonly #change: CopyChange
  readonly #writer: RowWriter
  readonly #marks: Marks
  #removalsDone = 0
  #rowsDone = 0
  #isDone = false
  #outcome: CopyOutcome = nothingDone

  constructor(native: Native, record: CopyRecord, writers: TableWriter, change: CopyChange) {
    this.#native = native
    this.#record = record
    this.#change = change
    this.#writer = writers.rows
    this.#marks = writers.marks
  }

  get isDone(): boolean {
    return this.#isDone
  }

  /** Of all portions that were committed. */
  get outcome(): CopyOutcome {
    return this.#outcome
  }

  /** The transaction of a portion has been committed. */
  moveOn(portion: Portion): void {
    this.#removalsDone += portion.removals
    this.#rowsDone += portion.rows
    this.#isDone = portion.isLast
    this.#outcome = {
      written: this.#outcome.written + portion.written,
      removed: this.#outcome.removed + portion.removed,
      waiting: this.#outcome.waiting + portion.waiting,
      refused: [...this.#outcome.refused, ...portion.refused],
    }
  }

  /** At most `limit` removals and rows, until that time. Changes nothing but the file, so that it can be run again. */
  portion(limit: number, untilMs: number): Portion {
    // Since it began, the copy may have gone: a row that is written now would look like one that was written here.
    if (!this.#isThere()) return { ...nothingDone, removals: 0, rows: 0, isLast: true }
    const { removed: allRemoved, rows: allRows } = this.#change
    const removed = allRemoved.slice(this.#removalsDone, this.#removalsDone + limit)
    const rows = allRows.slice(this.#rowsDone, this.#rowsDone + limit - removed.length)
    const keys = [...removed, ...rows.map(({ key }) => key)]
    for (const key of keys) assertKey(this.#record, key)
    this.#marks.forget()
    this.#marks.read(keys)
    const waiting = waitingKeys(this.#native, this.#record.name, keys)
    const counts: Counts = { removals: 0, rows: 0, written: 0, removed: 0, waiting: 0, refused: [] }
    this.#remove(removed, waiting, counts, untilMs)
    if (counts.removals === removed.length) this.#write(rows, waiting, counts, untilMs)
    this.#marks.settleSums()
    const isLast =
      this.#removalsDone + counts.removals >= allRemoved.length && this.#rowsDone + counts.rows >= allRows.length
    if (isLast) recordProgress(this.#native, this.#record, this.#change)
    return { ...counts, isLast }
  }

  #isThere(): boolean {
    const sql = 'select 1 from holdfast_copy where number = ? and is_leaving = 0'
    return this.#native.prepare(sql).get(this.#record.number) !== undefined
  }

  #remove(keys: readonly string[], waiting: ReadonlySet<string>, counts: Counts, untilMs: number): void {
    for (const key of keys) {
      counts.removals += 1
      if (this.#change.isNewer?.(key) === true) continue
      if (waiting.has(key)) {
        this.#wait(key, counts)
      } else if (this.#marks.has(key)) {
        this.#writer.remove(key)
        this.#marks.remove(key)
        counts.removed += 1
      }
      if (performance.now() > untilMs) return
    }
  }

  #write(rows: readonly FedRow[], waiting: ReadonlySet<string>, counts: Counts, untilMs: number): void {
    const numbers = this.#numbers(rows)
    let group: Placed[] = []
    let bytes = 0
    for (const row of rows) {
      if (group.length === 0 && counts.rows > 0 && performance.now() > untilMs) break
      counts.rows += 1
      if (!this.#isWanted(row, waiting, numbers, counts)) continue
      const placed = { row, marking: { key: row.key, version: row.version, bytes: this.#writer.bytesOf(row) } }
      group.push(placed)
      bytes += placed.marking.bytes
      if (group.length < rowGroupSize && bytes < groupBytes) continue
      this.#flush(group, counts)
      group = []
      bytes = 0
    }
    this.#flush(group, counts)
  }

  #isWanted(
    { key, image }: FedRow,
    waiting: ReadonlySet<string>,
    numbers: Map<string, number>,
    counts: Counts,
  ): boolean {
    const { isNewer, newerBy } = this.#change
    if (isNewer?.(key) === true) return false
    if (waiting.has(key)) {
      this.#wait(key, counts)
      return false
    }
    if (newerBy === undefined) return true
    const number = Number(image[newerBy] ?? 0)
    if ((numbers.get(key) ?? Number.NEGATIVE_INFINITY) >= number) return false
    numbers.set(key, number)
    return true
  }

  #flush(group: readonly Placed[], counts: Counts): void {
    if (group.length === rowGroupSize) {
      try {
        this.#writer.writeGroup(group.map(({ row }) => row))
        this.#marks.write(group.map(({ marking }) => marking))
        counts.written += group.length
        return
      } catch (error) {
        if (defectOf(error) === null) throw error
      }
    }
    for (const placed of group) this.#place(placed, counts)
  }

  #place({ row, marking }: Placed, counts: Counts): void {
    try {
      const clash = this.#writeUnlessClashing(row)
      if (clash !== null) {
        if (!this.#makeWay(row, clash)) {
          this.#wait(row.key, counts)
          return
        }
        this.#writer.write(row)
      }
      this.#marks.write([marking])
      counts.written += 1
    } catch (error) {
      const defect = defectOf(error)
      if (defect === null) throw error
      counts.refused.push({ key: row.key, why: defect.why })
      this.#marks.write([toVerify(row.key)])
    }
  }

  /** The error of a row that has a unique key of it; null: it is written. */
  #writeUnlessClashing(row: FedRow): unknown {
    try {
      this.#writer.write(row)
      return null
    } catch (error) {
      if (defectOf(error)?.isUnique === true) return error
      throw error
    }
  }

  /**
   * Removes the copied rows that have a unique key of this row; they are to be verified. False: one of them is not the copy's to
   * remove, and nothing is removed. @throws the clash, where the rows cannot be found.
   */
  #makeWay({ key: own, image }: FedRow, clash: unknown): boolean {
    const keys = this.#writer.clashing(image).filter((key) => key !== own)
    if (keys.length === 0) throw clash
    const waiting = waitingKeys(this.#native, this.#record.name, keys)
    if (keys.some((key) => waiting.has(key) || !this.#marks.has(key))) return false
    this.#takeOut(keys)
    return true
  }

  #takeOut(keys: readonly string[]): void {
    for (const key of keys) this.#writer.remove(key)
    this.#marks.write(keys.map((key) => ({ key, version: '', bytes: 0 })))
  }

  /** Entries wait on the row, or on one with a unique key of it. */
  #wait(key: string, counts: Counts): void {
    counts.waiting += 1
    this.#marks.write([toVerify(key)])
  }

  /** `Copy.giveWay`: removes those that may be removed. */
  giveWay(image: Image): boolean {
    this.#marks.forget()
    const keys = this.#writer.clashing(image)
    const waiting = waitingKeys(this.#native, this.#record.name, keys)
    const free = keys.filter((key) => !waiting.has(key) && this.#marks.has(key))
    this.#takeOut(free)
    this.#marks.settleSums()
    return free.length > 0
  }

  /** What the rows that are here have in the column of `newerBy`. */
  #numbers(rows: readonly FedRow[]): Map<string, number> {
    const { newerBy } = this.#change
    if (newerBy === undefined) return new Map()
    const { name, key } = this.#writer.table
    const sql = `select cast(${quote(key.name)} as text), cast(${quote(newerBy)} as real) from ${quote(name)}
      where ${quote(key.name)} = ? and ${quote(newerBy)} is not null`
    const found = keptStatement<[string, number]>(this.#native, sql).raw()
    return new Map(rows.flatMap((row) => found.all(this.#writer.keyValue(row.key))))
  }
}

function toVerify(key: string): Marking {
  return { key, version: '', bytes: null }
}

/** Those of the keys on whose rows an entry waits, for whichever primary. */
export function waitingKeys(native: Native, table: string, keys: readonly string[]): ReadonlySet<string> {
  const isAny = keptStatement(native, 'select 1 from holdfast_address where entries > 0').get() !== undefined
  if (!isAny || keys.length === 0) return new Set()
  const sql = `select wanted.value from json_each(?) as wanted where exists (
    select 1 from holdfast_journal indexed by holdfast_journal_row
    where row_id = wanted.value and table_name = ? and carried_at is null)`
  return new Set(keptStatement<string>(native, sql).pluck().all(JSON.stringify(keys), table))
}

function assertKey({ name, isNumeric }: CopyRecord, key: string): void {
  if (markKeyOf(isNumeric, key) !== null) return
  const summary = `A key of table "${name}" is not a whole number of 64 bits.`
  throw faultError('statement', 'COPY_KEY_REFUSED', summary, 'Leave the table out of the copy.')
}
