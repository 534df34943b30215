import type Database from 'better-sqlite3'
import { markOf } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import type { CopyRecord } from './reader.ts'
import { markKeyOf } from './values.ts'

/** A row that has been written, and what its mark says. */
export interface Marking {
  readonly key: string
  /** `''`: to be verified. */
  readonly version: string
  /** Null: the mark keeps what it has. */
  readonly bytes: number | null
}

/** How many marks one statement writes: a call of the client costs as much as two rows. */
const groupSize = 16
const columnCount = 6

const plainText = /^[ -~]*$/

const upsert = `on conflict (table_number, key) do update set version = excluded.version, high = excluded.high,
  low = excluded.low, bytes = excluded.bytes`

/** Writes the marks of one table; the sums in `holdfast_copy` follow with `settleSums`. To be used within one transaction. */
export class Marks {
  readonly #record: CopyRecord
  readonly #group: Database.Statement
  readonly #single: Database.Statement
  readonly #delete: Database.Statement
  readonly #wanted: Database.Statement<unknown[], [string, number]>
  readonly #from: Database.Statement
  readonly #add: Database.Statement
  /** What the marks at hand were before: bytes by key. */
  #known: Map<string, number> = new Map()
  #rows = 0
  #bytes = 0

  constructor(native: Native, record: CopyRecord) {
    this.#record = record
    const values = (count: number): string =>
      Array(count)
        .fill(`(${Array(columnCount).fill('?').join(', ')})`)
        .join(', ')
    const insert = 'insert into holdfast_copied (table_number, key, version, high, low, bytes) values'
    this.#group = native.prepare(`${insert} ${values(groupSize)} ${upsert}`)
    this.#single = native.prepare(`${insert} ${values(1)} ${upsert}`)
    this.#delete = native.prepare('delete from holdfast_copied where table_number = ? and key = ?')
    this.#wanted = native
      .prepare<unknown[], [string, number]>(
        `select cast(mark.key as text), mark.bytes from json_each(?) as wanted cross join holdfast_copied as mark
         where mark.table_number = ? and mark.key = wanted.value`,
      )
      .raw()
    this.#from = native.prepare('select 1 from holdfast_copied where table_number = ? and key >= ? limit 1')
    this.#add = native.prepare('update holdfast_copy set rows = rows + ?, bytes = bytes + ? where number = ?')
  }

  get number(): number {
    return this.#record.number
  }

  get isNumeric(): boolean {
    return this.#record.isNumeric
  }

  /** Reads the marks of these keys: before any of them is written. */
  read(keys: readonly string[]): void {
    const { number, isNumeric } = this.#record
    if (keys.length === 0) return
    const text = isNumeric ? `[${keys.join(',')}]` : JSON.stringify(keys)
    if (!isNumeric && this.#isBehind(keys, text)) return
    for (const [key, bytes] of this.#wanted.all(text, number)) this.#known.set(key, bytes)
  }

  /** Whether no mark has one of these keys or a greater one, as while a copy is filled: most marks need not be read then. */
  #isBehind(keys: readonly string[], text: string): boolean {
    // Other texts may sort otherwise in JavaScript.
    if (!plainText.test(text)) return false
    let least = keys[0]
    for (const key of keys) if (least === undefined || key < least) least = key
    return this.#from.get(this.#record.number, least) === undefined
  }

  /** Whether the row is marked. `read` has read the key, or it is read now. */
  has(key: string): boolean {
    if (!this.#known.has(key)) this.read([key])
    return this.#known.has(key)
  }

  /** Writes marks whose keys `read` has read. */
  write(markings: readonly Marking[]): void {
    const { number, isNumeric } = this.#record
    const grouped = markings.length - (markings.length % groupSize)
    let values: unknown[] = []
    for (const [index, marking] of markings.entries()) {
      const { high, low } = markOf(marking.key, marking.version)
      values.push(number, markKeyOf(isNumeric, marking.key), marking.version, high, low, this.#counted(marking))
      if (index < grouped && values.length < groupSize * columnCount) continue
      const statement = index < grouped ? this.#group : this.#single
      statement.run(values)
      values = []
    }
  }

  remove(key: string): void {
    const before = this.#known.get(key)
    if (before === undefined) return
    const { number, isNumeric } = this.#record
    this.#delete.run(number, markKeyOf(isNumeric, key))
    this.#known.delete(key)
    this.#rows -= 1
    this.#bytes -= before
  }

  /** Adds what has changed to the sums of the table; forgets what was read. */
  settleSums(): void {
    if (this.#rows !== 0 || this.#bytes !== 0) this.#add.run(this.#rows, this.#bytes, this.#record.number)
    this.forget()
  }

  /** A transaction begins: what was read in another one may be wrong by now. */
  forget(): void {
    this.#known = new Map()
    this.#rows = 0
    this.#bytes = 0
  }

  #counted({ key, bytes }: Marking): number {
    const before = this.#known.get(key)
    const now = bytes ?? before ?? 0
    if (before === undefined) this.#rows += 1
    this.#bytes += now - (before ?? 0)
    this.#known.set(key, now)
    return now
  }
}

/**
 * Removes the marks of rows that another one removes, with what the sums have of them. `keys` is a query of keys with one value.
 */
export function removeMarks(native: Native, table: string, keys: string, value: unknown): void {
  const marks = `holdfast_copied where table_number = (select number from holdfast_copy where name = ?) and key in (${keys})`
  const sums = native
    .prepare<unknown[], { rows: number; bytes: number }>(`select count(*) as rows, total(bytes) as bytes from ${marks}`)
    .get(table, value)
  if (sums === undefined || sums.rows === 0) return
  native.prepare(`delete from ${marks}`).run(table, value)
  native
    .prepare('update holdfast_copy set rows = rows - ?, bytes = bytes - ? where name = ?')
    .run(sums.rows, sums.bytes, table)
}
