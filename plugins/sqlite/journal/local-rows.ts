import type { Image, ImageTable, LocalRows } from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import type { Handle } from '../handle.ts'
import { quote } from './quote.ts'
import { ownTablePattern, readLife } from './tables.ts'
import { imageText } from './triggers.ts'

/** The rows of a file of a local store, read and marked on its hot handle. */
export class FileRows implements LocalRows {
  readonly fileId: string
  readonly #hot: Handle
  readonly #limitMs: number

  /** @throws what the client throws. */
  constructor(hot: Handle, limitMs: number) {
    this.#hot = hot
    this.#limitMs = limitMs
    this.fileId = readLife(hot.native)?.id ?? ''
  }

  async page(table: ImageTable, after: string, limit: number): Promise<readonly Image[]> {
    return await whileBusy(() => this.#page(table, after, limit), this.#limitMs)
  }

  async tables(): Promise<readonly string[]> {
    const sql = `select name from sqlite_master as t where type = 'table' and name not like '${ownTablePattern}' escape '\\'
      and exists (select 1 from pragma_table_info(t.name) where name = 'holdfast_attempt') order by name`
    const { native } = this.#hot
    const names = await whileBusy(() => native.prepare<unknown[], string>(sql).pluck().all(), this.#limitMs)
    return names.filter((name) => native.prepare(`select 1 from ${quote(name)} limit 1`).get() !== undefined)
  }

  async carried(atMs: number): Promise<void> {
    const { native } = this.#hot
    const mark = () => native.prepare('update holdfast_life set carried_at = ?').run(atMs)
    await whileBusy(() => this.#hot.alone(mark), this.#limitMs)
  }

  #page(table: ImageTable, after: string, limit: number): readonly Image[] {
    const { native } = this.#hot
    const found = native.prepare<unknown[], string>('select name from pragma_table_info(?)').pluck().all(table.name)
    const present = { ...table, columns: table.columns.filter(({ name }) => found.includes(name)) }
    if (!present.columns.some(({ name }) => name === 'id')) return []
    const name = quote(table.name)
    const texts = native
      .prepare<unknown[], string>(`select ${imageText(present, name)} from ${name} where id > ? order by id limit ?`)
      .pluck()
      .all(after, limit)
    return texts.map((text) => JSON.parse(text) as Image) // Made by `imageText`.
  }
}
