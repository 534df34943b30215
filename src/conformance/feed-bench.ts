import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { CopiedTable, FedRow, Feed, FeedConnection } from '../driver/facet/feed.ts'
import type { Image } from '../driver/facet/image.ts'
import { type Bench, type BenchStore, carriedTable, limits } from './bench.ts'
import { engineTest } from './connection.ts'
import { inReplay } from './replay.ts'

/** A store with a connection of its feed. */
export interface Fed {
  readonly store: BenchStore
  readonly connection: FeedConnection
  readonly identity: string
  readonly t: TestContext
}

/** Registers a test of the feed. */
export type FeedTest = (title: string, run: (fed: Fed) => Promise<void>) => void

/** The table that replay writes, to be copied. */
export const carried: CopiedTable = { ...carriedTable, key: { name: 'id', kind: 'text' }, keyOrder: 'uuid' }

/** The suite's table, to be copied. */
export const notes: CopiedTable = {
  name: 'conformance_note',
  key: { name: 'id', kind: 'text' },
  keyOrder: 'bytes',
  columns: [
    { name: 'id', kind: 'text' },
    { name: 'text', kind: 'text' },
    { name: 'count', kind: 'integer' },
  ],
}
/** Registers tests of the engine's feed, with a connection of it; where it is absent they are skipped by name. */
export function feedTest(bench: () => Bench): FeedTest {
  const engines = engineTest(bench, 'feed')
  return (title, run) => {
    engines(title, async (store, t) => {
      const [row] = await store.orm.em.fork().execute<{ id: string }[]>('select id from holdfast_identity')
      const connection = await feedOf(store).connect(AbortSignal.timeout(limits.connectMs))
      try {
        await run({ store, connection, identity: row?.id ?? assert.fail('the primary has an identity'), t })
      } finally {
        await connection.close()
      }
    })
  }
}

/** The engine's feed. */
export function feedOf({ engine, orm }: BenchStore): Feed {
  return engine.feed?.(orm) ?? assert.fail('the engine has a feed')
}

/** Writes rows of `carriedTable`. */
export async function insertCarried(store: BenchStore, images: readonly Image[]): Promise<void> {
  assert.equal(await inReplay(store, (replay) => replay.insert(carriedTable, images)), images.length)
}

/** All rows of a table, page by page. */
export async function pagesOf(
  connection: FeedConnection,
  identity: string,
  table: CopiedTable,
  limit: number,
): Promise<readonly FedRow[]> {
  const rows: FedRow[] = []
  for (;;) {
    const page = await connection.page(identity, table, rows.at(-1)?.key ?? null, limit)
    assert.ok(page.length <= limit)
    if (page.length === 0) return rows
    rows.push(...page)
  }
}

/** The rows of all these keys, call by call. */
export async function rowsOfKeys(
  connection: FeedConnection,
  identity: string,
  table: CopiedTable,
  keys: readonly string[],
): Promise<readonly FedRow[]> {
  const found: FedRow[] = []
  for (let at = 0; at < keys.length; ) {
    const { looked, rows } = await connection.rows(identity, table, keys.slice(at))
    assert.ok(looked >= 1)
    found.push(...rows)
    at += looked
  }
  return found
}
