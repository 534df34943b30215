import type Database from 'better-sqlite3'
import type { CopiedTable, CopySource, CopyState, RowDigest } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { quote, quoteText } from '../journal/quote.ts'
import { keptStatement } from './kept-statements.ts'
import { markKeyOf } from './values.ts'

/** A table of the copy, as the file knows it. */
export interface CopyRecord {
  readonly number: number
  readonly name: string
  /** What it looks like, as one text. */
  readonly shape: string
  readonly keyName: string
  readonly isNumeric: boolean
  /** It is no collection: only the copy may change it. */
  readonly isGuarded: boolean
  /** It is out of sight, and what was copied is to be removed. */
  readonly isLeaving: boolean
  readonly isSwept: boolean
  readonly after: string | null
  readonly asOfMs: number | null
  readonly polled: string | null
  readonly rows: number
  readonly bytes: number
  /** No mark is to be verified. */
  readonly isVerified: boolean
}

/** SQLite has no booleans. */
type RecordRow = { readonly [K in keyof CopyRecord]: CopyRecord[K] extends boolean ? number : CopyRecord[K] }

/** An entry of the outage at hand, or one that waits for whichever primary. */
const isOfNow = '(carried_at is null or sequence > (select settled from holdfast_life))'

/** Entries that wait for one other primary are looked through up to here; beyond, they may be of any table. */
const elsewhereMax = 10_000

/** Reads what a file knows of its copy: what is committed. */
export class CopyReader {
  readonly #native: Native
  #others: Database.Statement<unknown[], { number: number; entries: number }> | null = null
  /** The tables on whose rows entries for other primaries wait; null: any. Kept while their number stays the same. */
  #elsewhere: { readonly key: string; readonly tables: ReadonlySet<string> | null } = { key: '', tables: new Set() }

  /** By shape: each answer from the copy asks. */
  readonly #columns = new Map<string, readonly string[]>()

  constructor(native: Native) {
    this.#native = native
  }

  source(): CopySource | null {
    const sql = 'select identity, target from holdfast_copy_source'
    return keptStatement<CopySource>(this.#native, sql).get() ?? null
  }

  position(): string | null {
    const sql = 'select position from holdfast_copy_source'
    return this.#native.prepare<unknown[], string | null>(sql).pluck().get() ?? null
  }

  records(): readonly CopyRecord[] {
    const sql = `select number, name, shape, key_name as keyName,
      is_numeric as isNumeric, is_guarded as isGuarded, is_leaving as isLeaving, is_swept as isSwept, after, polled, rows, bytes,
      nullif((select min(at_ms) from holdfast_copy_chunk where table_number = number), 0) as asOfMs,
      not exists (select 1 from holdfast_copied where table_number = number and version = '') as isVerified
      from holdfast_copy order by number`
    const found = keptStatement<RecordRow>(this.#native, sql)
    return found.all().map((row) => ({
      ...row,
      isNumeric: row.isNumeric === 1,
      isGuarded: row.isGuarded === 1,
      isLeaving: row.isLeaving === 1,
      isSwept: row.isSwept === 1,
      isVerified: row.isVerified === 1,
    }))
  }

  stateOf(record: CopyRecord): CopyState {
    const { isSwept, after, asOfMs, polled, rows, bytes } = record
    const isVerified = record.isVerified && !this.#waitsElsewhere(record.name)
    return { isSwept, isVerified, columns: this.#columnsOf(record), after, asOfMs, polled, rows, bytes }
  }

  #columnsOf({ shape }: CopyRecord): readonly string[] {
    const known = this.#columns.get(shape)
    if (known !== undefined) return known
    const { columns } = JSON.parse(shape) as CopiedTable // Made by `shapeOf`.
    const names = columns.map(({ name }) => name)
    this.#columns.set(shape, names)
    return names
  }

  digest(record: CopyRecord, after: string | null, last: string | null): RowDigest {
    const range = rangeOf(record, after, last)
    const sql = `select count(*) as count, total(high) as high, total(low) as low from holdfast_copied where ${range.sql}`
    const found = keptStatement<RowDigest>(this.#native, sql).get(...range.values)
    return found ?? { count: 0, high: 0, low: 0 }
  }

  versions(record: CopyRecord, after: string | null, last: string | null): ReadonlyMap<string, string> {
    const range = rangeOf(record, after, last)
    const sql = `select cast(key as text), version from holdfast_copied where ${range.sql}`
    return new Map(
      keptStatement<[string, string]>(this.#native, sql)
        .raw()
        .all(...range.values),
    )
  }

  unverified({ number }: CopyRecord, limit: number): readonly string[] {
    const sql = `select cast(key as text) from holdfast_copied where table_number = ? and version = '' order by key limit ?`
    return keptStatement<string>(this.#native, sql).pluck().all(number, limit)
  }

  #waitsElsewhere(table: string): boolean {
    // Compiled once: each answer from the copy asks.
    this.#others ??= this.#native.prepare(`select number, entries from holdfast_address
      where entries > 0 and number <> (select address from holdfast_life) order by number`)
    const others = this.#others.all()
    if (others.length === 0) return false
    const key = JSON.stringify(others)
    // Nothing is added to them or carried while another primary is addressed.
    if (key !== this.#elsewhere.key)
      this.#elsewhere = { key, tables: this.#tablesOf(others.map(({ number }) => number)) }
    const { tables } = this.#elsewhere
    return tables === null || tables.has(table)
  }

  #tablesOf(addresses: readonly number[]): ReadonlySet<string> | null {
    const tables = new Set<string>()
    const sql = `select table_name from holdfast_journal where address = ? and carried_at is null limit ${elsewhereMax + 1}`
    for (const address of addresses) {
      const names = this.#native.prepare<unknown[], string>(sql).pluck().all(address)
      if (names.length > elsewhereMax) return null
      for (const name of names) tables.add(name)
    }
    return tables
  }
}

/** Whether the file has a table of that name. */
export function hasTable(native: Native, name: string): boolean {
  const sql = "select 1 from sqlite_master where type = 'table' and lower(name) = lower(?)"
  return native.prepare(sql).get(name) !== undefined
}

/** A condition on the rows of a table: those on which an entry waits, for whichever primary. */
export function waitsFor(table: string, keyName: string): string {
  return `exists (select 1 from holdfast_journal indexed by holdfast_journal_row
    where row_id = ${quote(table)}.${quote(keyName)} and table_name = ${quoteText(table)} and carried_at is null)`
}

/** The condition of `Copy.ownRows`. Its text is the same for as long as the table has this key. */
export function ownRowsOf(table: string, keyName: string): string {
  const key = `${quote(table)}.${quote(keyName)}`
  const number = `(select number from holdfast_copy where name = ${quoteText(table)})`
  return `(not exists (select 1 from holdfast_copied where table_number = ${number} and key = ${key})
    or exists (select 1 from holdfast_journal indexed by holdfast_journal_row
      where row_id = ${key} and table_name = ${quoteText(table)} and ${isOfNow}))`
}

/** A range of marks, as the sweep has it: without `after`, with `last`. */
function rangeOf(
  { number, isNumeric }: CopyRecord,
  after: string | null,
  last: string | null,
): { readonly sql: string; readonly values: readonly unknown[] } {
  const bounds = [
    { sql: 'key > ?', key: after },
    { sql: 'key <= ?', key: last },
  ].filter(({ key }) => key !== null)
  return {
    sql: ['table_number = ?', ...bounds.map(({ sql }) => sql)].join(' and '),
    values: [number, ...bounds.map(({ key }) => (key === null ? null : markKeyOf(isNumeric, key)))],
  }
}
