import {
  AnswerSize,
  type CopiedTable,
  codeOf,
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
import { queriesOf, sourceText } from './feed-queries.ts'
import { quoted } from './own-tables.ts'

/** The most keys in one statement. */
const keysMax = 5_000

/** Rows of a table without statistics are counted up to so many. */
const countMax = 100_000

/** The first version with the function by which rows are compared. */
const oldestMajor = 11

/** Whether a server of this version has a feed. */
export function hasSha256(version: string): boolean {
  return !(Number.parseInt(version, 10) < oldestMajor)
}

/**
 * The rows of the store's database, for a copy. Every call is one statement without a name, so that it does not matter which
 * connection of a pooler runs it. The version of a row is the transaction that wrote it, `xmin`.
 */
export function feedOf(pool: SafePool): Feed {
  const size = new AnswerSize()
  return {
    // Not the column itself: partitioned tables refuse to return it, and views have none.
    returned: () => '(txid_current() & 4294967295)::text',
    async connect(signal) {
      const client = await pool.openAside(signal)
      try {
        const isolation = await withSignal(signal, isolationOf(client))
        return new ServerFeedConnection(new Session(client, pool, isolation === 'serializable'), size)
      } catch (error) {
        client.evict()
        throw error
      }
    },
  }
}

async function isolationOf(client: SafeClient): Promise<unknown> {
  const { rows } = await client.run("select current_setting('transaction_isolation') as isolation", [], {
    phase: 'open',
  })
  return rows[0]?.isolation
}

class Session implements FeedSession {
  readonly keysMax = keysMax
  readonly queriesOf = queriesOf
  readonly #client: SafeClient
  readonly #pool: SafePool
  readonly #isSerializable: boolean

  constructor(client: SafeClient, pool: SafePool, isSerializable: boolean) {
    this.#client = client
    this.#pool = pool
    this.#isSerializable = isSerializable
  }

  /** In a transaction where reads by themselves would be serializable: others could fail because of them. */
  async run(query: FeedQuery): Promise<readonly FeedAnswer[]> {
    if (!this.#isSerializable) return await this.#send(query)
    await this.#client.run('begin isolation level read committed read only')
    try {
      const rows = await this.#send(query)
      await this.#client.run('commit')
      return rows
    } catch (error) {
      if (this.#client.isReady) await this.#client.run('rollback').catch(() => this.evict())
      throw error
    }
  }

  sorting(identity: string, { name, key }: CopiedTable): FeedQuery {
    return { text: sortingText, values: [identity, quoted(name), key.name] }
  }

  position(identity: string): FeedQuery {
    return { text: positionText, values: [identity] }
  }

  async size({ name }: CopiedTable): Promise<TableSize | null> {
    const [row] = await this.run({ text: sizeText, values: [quoted(name)] })
    if (row === undefined) return null
    const columns = JSON.parse(row.columns ?? '[]') as string[] // A list of names, as the statement makes it.
    return { rows: Number(row.rows ?? (await this.#count(name))), bytes: Number(row.bytes), columns }
  }

  isMissing(error: unknown, table: string): boolean {
    return error instanceof Error && codeOf(error) === '42P01' && messageOf(error).includes(table)
  }

  evict(): void {
    this.#client.evict()
  }

  end(): Promise<void> {
    return this.#client.end()
  }

  async #send({ text, values }: FeedQuery): Promise<readonly FeedAnswer[]> {
    this.#pool.limits.echo?.(text)
    const { rows } = await this.#client.run(text, values, { phase: 'statement' })
    return rows as FeedAnswer[] // Each column is cast to text.
  }

  async #count(table: string): Promise<number> {
    const text = `select count(*)::text as count from (select from ${quoted(table)} limit ${countMax}) as few`
    const [row] = await this.run({ text, values: [] })
    return Number(row?.count)
  }
}

/** Texts sort by their bytes where their collation, or that of the database, is one of these. */
const byteCollations = "('C', 'POSIX', 'ucs_basic')"

/** Read by name: databases have no provider of collations before version 15. */
const sortingText = `select ${sourceText} as "holdfast source", (
    select case when type.typname = 'uuid' or type.typcategory = 'N' then '1'
      when type.typname not in ('text', 'varchar') then '0'
      when order_of.collname in ${byteCollations} then '1'
      when order_of.collname <> 'default' then '0'
      when here.facts->>'datlocprovider' = 'b' then '1'
      when coalesce(here.facts->>'datlocprovider', 'c') = 'c' and here.facts->>'datcollate' in ${byteCollations} then '1'
      else '0' end
    from pg_attribute as attribute
      join pg_type as type on type.oid = attribute.atttypid
      left join pg_collation as order_of on order_of.oid = attribute.attcollation
      cross join (select to_jsonb(one) as facts from pg_database as one where datname = current_database()) as here
    where attribute.attrelid = to_regclass($2) and attribute.attname = $3
  ) as sorted`

/** The next transaction of the server; works in all versions. */
const positionText = `select ${sourceText} as "holdfast source",
  txid_snapshot_xmax(txid_current_snapshot())::text as position`

/** Of a table with its partitions. No rows: a part has never been analyzed. */
const sizeText = `with recursive part (oid) as (
    select oid from pg_class where oid = to_regclass($1) and relkind in ('r', 'p')
    union all select child.inhrelid from pg_inherits as child join part on child.inhparent = part.oid
  ), measured as (
    select pg_table_size(part.oid) as bytes, pg_relation_size(part.oid) as main, relpages, reltuples
    from part join pg_class on pg_class.oid = part.oid where relkind = 'r'
  )
  select sum(bytes)::text as bytes,
    case when bool_and(main = 0 or (relpages > 0 and reltuples >= 0)) then
      round(sum(case when main = 0 then 0
        else reltuples / nullif(relpages, 0) * (main / current_setting('block_size')::int) end))::bigint::text end as rows,
    (select coalesce(json_agg(attname), '[]')::text from pg_attribute
      where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
        and has_column_privilege(attrelid, attnum, 'SELECT')) as columns
  from measured where exists (select from part) having exists (select from part)`
