import {
  AnswerSize,
  type CopiedTable,
  type Feed,
  type FeedAnswer,
  type FeedQuery,
  type FeedSession,
  messageOf,
  ServerFeedConnection,
  type TableSize,
  withSignal,
} from '../../src/driver/kit/driver-kit.ts'
import type { SafeClient } from './client/client.ts'
import type { SafePool } from './client/pool.ts'
import { numberOf } from './faults.ts'
import { queriesOf, sourceText } from './feed-queries.ts'
import { versionOf } from './row-version.ts'

/** Above about 1,000 a server makes a join of a list, which may read the whole table. */
const keysMax = 500

/** The rows of the store's database, for a copy. The version of a row is a hash of the columns that are copied. */
export function feedOf(pool: SafePool): Feed {
  const size = new AnswerSize()
  return {
    versionOf,
    async connect(signal) {
      const client = await pool.openAside(signal)
      try {
        // A server may be set to READ UNCOMMITTED.
        const text = 'set session transaction isolation level read committed, read only'
        await withSignal(signal, client.run(text, [], { phase: 'open' }))
        return new ServerFeedConnection(new Session(client, pool), size)
      } catch (error) {
        client.evict()
        throw error
      }
    },
  }
}

class Session implements FeedSession {
  readonly keysMax = keysMax
  readonly queriesOf = queriesOf
  readonly #client: SafeClient
  readonly #pool: SafePool

  constructor(client: SafeClient, pool: SafePool) {
    this.#client = client
    this.#pool = pool
  }

  async run({ text, values }: FeedQuery): Promise<readonly FeedAnswer[]> {
    this.#pool.limits.echo?.(text)
    // Not prepared: the texts differ with the number of keys.
    const { rows } = await this.#client.run(text, values, { phase: 'statement' })
    return rows as FeedAnswer[] // Each column is cast to text.
  }

  sorting(identity: string, { name, key, keyOrder }: CopiedTable): FeedQuery {
    return { text: sortingText, values: [identity, keyOrder, name, key.name] }
  }

  async size({ name }: CopiedTable): Promise<TableSize | null> {
    const [measured] = await this.run({ text: sizeText, values: [name] })
    if (measured === undefined) return null
    const columns = await this.run({ text: columnsText, values: [name] })
    return {
      rows: Number(measured.rows),
      bytes: Number(measured.bytes),
      columns: columns.map(({ name: column }) => column ?? ''),
    }
  }

  isMissing(error: unknown, table: string): boolean {
    return numberOf(error) === tableMissing && error instanceof Error && messageOf(error).includes(table)
  }

  evict(): void {
    this.#client.evict()
  }

  end(): Promise<void> {
    return this.#client.end()
  }
}

/** The server's error number for a table that does not exist. */
const tableMissing = 1146

/**
 * Texts sort by their bytes where they have one of these collations; others forget case, or blanks at the end. UUIDs have
 * neither. The least of several: tables may differ by case alone.
 */
const sortingText = `select ${sourceText} as \`holdfast source\`, (
    select min(case when numeric_precision is not null then '1'
      when data_type not in ('char', 'varchar') then '0'
      when collation_name like '%\\_nopad\\_bin' or collation_name = 'utf8mb4_0900_bin' then '1'
      when collation_name like '%\\_bin' and ? = 'uuid' then '1'
      else '0' end)
    from information_schema.columns where table_schema = database() and table_name = ? and column_name = ?
  ) as sorted`

/** By the statistics of the server; a view has none. */
const sizeText = `select cast(table_rows as char) as \`rows\`, cast(data_length as char) as bytes
  from information_schema.tables where table_schema = database() and table_name = ? and table_rows is not null limit 1`

/** Those that this account may see. */
const columnsText = `select cast(column_name as char) as name from information_schema.columns
  where table_schema = database() and table_name = ? order by ordinal_position`
