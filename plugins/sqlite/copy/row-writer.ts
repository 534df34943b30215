import type Database from 'better-sqlite3'
import type { CopiedTable, FedRow, Image } from '../../../src/driver/kit/driver-kit.ts'
import { codeOf, messageOf } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { quote } from '../journal/quote.ts'
import { type BoundValue, ValueError, valueFrom } from './values.ts'

/** Why a row cannot be written as it is. */
export interface RowDefect {
  /** Another row has a unique key of it. */
  readonly isUnique: boolean
  readonly why: string
}

/** How many rows one statement writes: a call of the client costs as much as a row. */
export const rowGroupSize = 16

/** What an image takes beyond its values, per column. */
const columnBytes = 6

/** Writes rows into one table of the file: the columns that both have. */
export class RowWriter {
  readonly table: CopiedTable
  readonly #native: Native
  readonly #columns: CopiedTable['columns']
  readonly #group: Database.Statement
  readonly #single: Database.Statement
  readonly #remove: Database.Statement
  readonly #overhead: number
  #keys: readonly UniqueKey[] | null = null

  /** @throws what the client throws, where there is no such table. */
  constructor(native: Native, table: CopiedTable) {
    this.#native = native
    this.table = table
    const found = new Set(
      native.prepare<unknown[], string>('select name from pragma_table_info(?)').pluck().all(table.name),
    )
    this.#columns = table.columns.filter(({ name }) => found.has(name))
    this.#group = native.prepare(this.#upsert(rowGroupSize))
    this.#single = native.prepare(this.#upsert(1))
    this.#remove = native.prepare(`delete from ${quote(table.name)} where ${quote(table.key.name)} = ?`)
    this.#overhead = this.#columns.reduce((sum, { name }) => sum + name.length + columnBytes, 0)
  }

  /** The length of the image. */
  bytesOf({ image }: FedRow): number {
    let bytes = this.#overhead
    for (const { name } of this.#columns) bytes += image[name]?.length ?? 0
    return bytes
  }

  /** Writes `rowGroupSize` rows, or none: what one of them breaks is thrown, as `defectOf` reads it. */
  writeGroup(rows: readonly FedRow[]): void {
    this.#group.run(this.#values(rows))
  }

  /** @throws what `defectOf` reads. */
  write(row: FedRow): void {
    this.#single.run(this.#values([row]))
  }

  remove(key: string): void {
    this.#remove.run(this.keyValue(key))
  }

  keyValue(key: string): BoundValue {
    return valueFrom(this.table.key, key)
  }

  /** Keys of rows that have a unique key of this one, with the row of the same key. */
  clashing(image: Image): readonly string[] {
    this.#keys ??= uniqueKeysOf(this.#native, this.table)
    const keys = new Set<string>()
    for (const { columns, statement } of this.#keys) {
      const values = columns.map((column) => valueFrom(column, image[column.name] ?? null))
      if (values.includes(null)) continue
      for (const key of statement.all(...values)) keys.add(key)
    }
    return [...keys]
  }

  #values(rows: readonly FedRow[]): readonly BoundValue[] {
    const values: BoundValue[] = []
    for (const { image } of rows)
      for (const column of this.#columns) values.push(valueFrom(column, image[column.name] ?? null))
    return values
  }

  #upsert(count: number): string {
    const { name, key } = this.table
    const names = this.#columns.map((column) => quote(column.name))
    const row = `(${names.map(() => '?').join(', ')})`
    const rows = Array(count).fill(row).join(', ')
    const changes = this.#columns
      .filter((column) => column.name !== key.name)
      .map((column) => `${quote(column.name)} = excluded.${quote(column.name)}`)
    const change = changes.length === 0 ? 'nothing' : `update set ${changes.join(', ')}`
    return `insert into ${quote(name)} (${names.join(', ')}) values ${rows} on conflict (${quote(key.name)}) do ${change}`
  }
}

interface UniqueKey {
  readonly columns: CopiedTable['columns']
  readonly statement: Database.Statement<unknown[], string>
}

function uniqueKeysOf(native: Native, { name, key, columns }: CopiedTable): readonly UniqueKey[] {
  const indexes = native
    .prepare<unknown[], string>(
      `select name from pragma_index_list(?) where "unique" = 1 and partial = 0 and origin <> 'pk'`,
    )
    .pluck()
    .all(name)
  const found = indexes.map((index) =>
    native.prepare<unknown[], string | null>('select name from pragma_index_info(?) order by seqno').pluck().all(index),
  )
  return [[key.name], ...found].flatMap((names) => {
    const parts = names.map((part) => columns.find((column) => column.name === part))
    if (parts.some((part) => part === undefined)) return []
    const condition = names.map((part) => `${quote(part ?? '')} = ?`).join(' and ')
    const sql = `select cast(${quote(key.name)} as text) from ${quote(name)} where ${condition}`
    const statement = native.prepare<unknown[], string>(sql).pluck()
    return [{ columns: parts.filter((part) => part !== undefined), statement }]
  })
}

/** What an error of a written row means; null: it is none of the row. */
export function defectOf(error: unknown): RowDefect | null {
  // The client refuses texts that SQLite could not hold.
  if (error instanceof ValueError || error instanceof RangeError) return { isUnique: false, why: error.message }
  if (typeof error !== 'object' || error === null) return null
  const code = codeOf(error) ?? ''
  const isRefusal = code.startsWith('SQLITE_CONSTRAINT') || code === 'SQLITE_MISMATCH' || code === 'SQLITE_TOOBIG'
  if (!isRefusal) return null
  const isUnique = code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'
  return { isUnique, why: messageOf(error) }
}
