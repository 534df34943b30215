import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { CopiedTable, FedRow, Feed, FeedConnection } from '../../driver/facet/feed.ts'
import type { Image } from '../../driver/facet/image.ts'
import type { Replay } from '../../driver/facet/replay.ts'
import { type Bench, type BenchStore, carriedTable, limits } from '../bench.ts'
import { engineTest } from '../connection.ts'

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

/** Rows of `carriedTable` with each kind of value at its limits. */
export function exactImages(): readonly Image[] {
  const given: readonly Image[] = [
    {
      order: '9223372036854775807',
      ratio: '0.30000000000000004',
      price: '9999999999999999.99',
      isOn: '1',
      createdAt: '1',
    },
    { order: '-9223372036854775808', ratio: '5e-324', price: '-0.01', isOn: '0', createdAt: '-1' },
    { order: '9007199254740993', ratio: '1.7976931348623157e308', day: '1000-01-01', createdAt: '-62135596799999' },
    {
      order: '0',
      ratio: '-0.1',
      price: '0.00',
      day: '9999-12-31',
      createdAt: '253402300799999',
      text: 'a\'b"c\\d;--é\u{1f600}\n\t%_?$1{}',
    },
    { order: null, ratio: null, createdAt: null, text: '', data: '{"b":[1,{"a":"\\u00e9\\\\"}],"a":null}' },
    { ratio: '123456789.123456789', text: ' blanks ', data: '{"n":12345678901234567890123.5,"e":1e-9}' },
    { text: 'null', data: 'null', createdAt: '1700000000123' },
    { text: '\u{1f468}\u{200d}\u{1f469}', data: '"text"', holdfast_attempt: null },
  ]
  const nothing = Object.fromEntries(carriedTable.columns.map(({ name }): [string, null] => [name, null]))
  return given.map((values) => ({ ...nothing, defaulted: 'given', ...imageOf(values) }))
}

/** A row of `carriedTable` with these values. */
export function imageOf(given: Image): Image {
  return { id: randomUUID(), holdfast_attempt: randomUUID(), required: 'given', ...given }
}

/** The engine's replay. */
export function replayOf({ engine, orm }: BenchStore): Replay {
  const replay = engine.replay?.(orm)
  assert.ok(replay)
  return replay
}

/** Runs in a transaction, and gives what it resolves with. */
export function inReplay<T>(store: BenchStore, work: (replay: Replay) => Promise<T>): Promise<T> {
  return store.orm.em.fork().transactional(() => work(replayOf(store)))
}
