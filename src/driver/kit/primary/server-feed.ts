import {
  type ChunkDigest,
  type CopiedTable,
  type FedRow,
  type FedRows,
  type FeedConnection,
  otherSourceCode,
  type TableSize,
  versionColumn,
} from '../../facet/feed.ts'
import type { Image } from '../../facet/image.ts'
import { faultError } from '../read-error.ts'
import type { ProofClient } from '../server-candidate.ts'
import type { AnswerSize } from './answer-size.ts'
import { partsOf } from './row-batches.ts'

/** A statement of a feed. */
export interface FeedQuery {
  readonly text: string
  readonly values: readonly string[]
}

/** A row of its answer. */
export type FeedAnswer = Readonly<Record<string, string | null>>

/** Rows behind `after` (null: from the first) up to `last` (null: to the end). */
export interface KeyRange {
  readonly after: string | null
  readonly last: string | null
}

/**
 * The statements for a table. The first row of each answer tells in its first column, named as `sourceColumn`, by `1` that
 * the primary of that identity has answered. `digest` has it next to `count`, `last`, `high` and `low`; the others have rows
 * behind it: with `key` and `version`, or with the columns of the table and, named as `versionColumn`, the version.
 */
export interface TableQueries {
  digest(identity: string, after: string | null, limit: number): FeedQuery
  versions(identity: string, range: KeyRange): FeedQuery
  page(identity: string, after: string | null, limit: number): FeedQuery
  rows(identity: string, keys: readonly string[]): FeedQuery
  /** How much the texts of those rows take, as `bytes`. */
  pageBytes(after: string | null, limit: number): FeedQuery
  rowsBytes(keys: readonly string[]): FeedQuery
}

/** A client with the statements of its kind of server. */
export interface FeedSession extends ProofClient {
  /** Rejects with what `classify` reads. */
  run(query: FeedQuery): Promise<readonly FeedAnswer[]>
  /** `isSorted`: the column of the key itself sorts as keys do, and so does its index. */
  queriesOf(table: CopiedTable, isSorted: boolean): TableQueries
  /** As `sorted`, `1` where the column of the key itself sorts as keys do; next to `sourceColumn`. */
  sorting(identity: string, table: CopiedTable): FeedQuery
  /** As `position`, next to `sourceColumn`; absent: the server has nothing that would do. */
  position?(identity: string): FeedQuery
  size(table: CopiedTable): Promise<TableSize | null>
  /** The most keys in one statement. */
  readonly keysMax: number
  /** Whether an error means that there is no table of that name. */
  isMissing(error: unknown, table: string): boolean
}

/** A name that no column of a table has. */
export const sourceColumn = 'holdfast source'

/** The feed of a server: a connection of its own, which runs a statement at a time. */
export class ServerFeedConnection implements FeedConnection {
  readonly #session: FeedSession
  readonly #size: AnswerSize
  /** By table and key. */
  readonly #isSorted = new Map<string, boolean>()

  constructor(session: FeedSession, size: AnswerSize) {
    this.#session = session
    this.#size = size
  }

  async position(identity: string): Promise<bigint | null> {
    const query = this.#session.position?.(identity)
    if (query === undefined) return null
    const [{ position = null } = {}] = await this.#ask(query)
    return position === null ? null : BigInt(position)
  }

  size(table: CopiedTable): Promise<TableSize | null> {
    return this.#session.size(table)
  }

  async digest(identity: string, table: CopiedTable, after: string | null, limit: number): Promise<ChunkDigest> {
    const queries = await this.#queriesOf(identity, table)
    const [{ count, last = null, high, low } = {}] = await this.#ask(queries.digest(identity, after, limit))
    return { count: Number(count), last, high: Number(high), low: Number(low) }
  }

  async versions(
    identity: string,
    table: CopiedTable,
    after: string | null,
    last: string | null,
  ): Promise<ReadonlyMap<string, string>> {
    const queries = await this.#queriesOf(identity, table)
    const [, ...rows] = await this.#ask(queries.versions(identity, { after, last }))
    return new Map(rows.map(({ key, version }) => [key ?? '', version ?? '']))
  }

  async rows(identity: string, table: CopiedTable, keys: readonly string[]): Promise<FedRows> {
    const queries = await this.#queriesOf(identity, table)
    const [part = []] = partsOf(keys, this.#session.keysMax)
    if (part.length === 0) return { looked: 0, rows: [] }
    const looked = await this.#size.fit(table.name, part.length, (count) =>
      this.#bytes(queries.rowsBytes(part.slice(0, count))),
    )
    const [, ...rows] = await this.#ask(queries.rows(identity, part.slice(0, looked)))
    return { looked, rows: rows.map((row) => fedRow(table, row)) }
  }

  async page(identity: string, table: CopiedTable, after: string | null, limit: number): Promise<readonly FedRow[]> {
    const queries = await this.#queriesOf(identity, table)
    const fitting = await this.#size.fit(table.name, limit, (count) => this.#bytes(queries.pageBytes(after, count)))
    const [, ...rows] = await this.#ask(queries.page(identity, after, fitting))
    return rows.map((row) => fedRow(table, row))
  }

  evict(): void {
    this.#session.evict()
  }

  async close(): Promise<void> {
    await this.#session.end().catch(() => this.#session.evict())
  }

  async #queriesOf(identity: string, table: CopiedTable): Promise<TableQueries> {
    const name = JSON.stringify([table.name, table.key.name])
    let isSorted = this.#isSorted.get(name)
    if (isSorted === undefined) {
      const [{ sorted = null } = {}] = await this.#ask(this.#session.sorting(identity, table))
      isSorted = sorted === '1'
      this.#isSorted.set(name, isSorted)
    }
    return this.#session.queriesOf(table, isSorted)
  }

  async #bytes(query: FeedQuery): Promise<number> {
    const [{ bytes = null } = {}] = await this.#session.run(query)
    return Number(bytes)
  }

  /** Throws where the answer is not that of the primary of the identity. */
  async #ask(query: FeedQuery): Promise<readonly FeedAnswer[]> {
    let rows: readonly FeedAnswer[]
    try {
      rows = await this.#session.run(query)
    } catch (error) {
      throw this.#session.isMissing(error, 'holdfast_identity') ? otherSource(error) : error
    }
    if (rows[0]?.[sourceColumn] !== '1') throw otherSource(null)
    return rows
  }
}

function fedRow({ key, columns }: CopiedTable, row: FeedAnswer): FedRow {
  const image: Record<string, string | null> = {}
  for (const { name } of columns) image[name] = row[name] ?? null
  return { key: image[key.name] ?? '', version: row[versionColumn] ?? '', image: image satisfies Image }
}

function otherSource(cause: unknown): Error {
  const summary = 'Another database than the primary that is copied answers, or a standby of it.'
  const hint = 'Wait: Holdfast asks again. Check where the address, or the pooler behind it, leads.'
  return faultError('configuration', otherSourceCode, summary, hint, { cause })
}
