import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type CopiedTable, type FeedConnection, otherSourceCode } from '../../driver/facet/feed.ts'
import { type Bench, limits, Note, note, slackMs, within } from '../bench.ts'
import { rejection } from '../connection.ts'
import { carried, type FeedTest, feedOf, imageOf, insertCarried, notes, pagesOf, rowsOfKeys } from './feed-bench.ts'

const numbered: CopiedTable = {
  name: 'conformance_numbered',
  key: { name: 'id', kind: 'integer' },
  keyOrder: 'number',
  columns: [{ name: 'id', kind: 'integer' }],
}

/** In which order keys come. */
export function conformKeyOrder(test: FeedTest): void {
  test('feeds keys that are texts in the order of their bytes', async ({ store, connection, identity }) => {
    const keys = ['B', 'a', 'A', 'aa', 'a-', 'é', 'z', '~', '\u{1f600}', '\uffee', '_', 'a b', "a'b"]
    await store.orm.em.fork().insertMany(
      Note,
      keys.map((key) => note(key)),
    )
    await assertOrder(connection, identity, notes, keys.sort(byBytes))
  })

  test('feeds keys that are numbers by their size', async ({ store, connection, identity }) => {
    const double = ['9007199254740992', '9007199254740993', '9007199254740994']
    const keys = ['-9223372036854775808', '-5', '0', '2', '10', ...double, '9223372036854775807']
    const em = store.orm.em.fork()
    await em.execute('create table conformance_numbered (id bigint primary key)')
    await em.execute(`insert into conformance_numbered values (${keys.toReversed().join('), (')})`)
    await assertOrder(connection, identity, numbered, keys)
  })
}

/** Pages, digests, ranges and keys agree on this order. */
async function assertOrder(
  connection: FeedConnection,
  identity: string,
  table: CopiedTable,
  keys: readonly string[],
): Promise<void> {
  assert.deepEqual(
    (await pagesOf(connection, identity, table, 2)).map(({ key }) => key),
    keys,
  )
  for (const [at, key] of keys.entries()) {
    assert.equal((await connection.digest(identity, table, keys[at - 1] ?? null, 1)).last, key)
    assert.equal((await connection.digest(identity, table, null, at + 1)).last, key)
    const behind = await connection.versions(identity, table, key, null)
    assert.deepEqual(new Set(behind.keys()), new Set(keys.slice(at + 1)))
    const until = await connection.versions(identity, table, null, key)
    assert.deepEqual(new Set(until.keys()), new Set(keys.slice(0, at + 1)))
  }
  assert.equal((await rowsOfKeys(connection, identity, table, keys)).length, keys.length)
}

/** Which database answers, and what it says of itself. */
export function conformFeedSources(bench: () => Bench, test: FeedTest): void {
  test('feeds nothing from a database of another identity', async ({ store, connection, identity }) => {
    await insertCarried(store, [imageOf({})])
    const assertOther = async (wanted: string): Promise<void> => {
      const calls: readonly ((one: FeedConnection) => Promise<unknown>)[] = [
        (one) => one.digest(wanted, carried, null, 10),
        (one) => one.versions(wanted, carried, null, null),
        (one) => one.rows(wanted, carried, [randomUUID()]),
        (one) => one.page(wanted, carried, null, 10),
      ]
      for (const call of calls) {
        const { kind, code } = bench().driver.classify(await rejection(call(connection)), 'statement')
        assert.deepEqual([kind, code], ['configuration', otherSourceCode])
      }
    }
    await assertOther(randomUUID())
    assert.equal((await connection.digest(identity, carried, null, 10)).count, 1)
    const em = store.orm.em.fork()
    await em.execute('delete from holdfast_identity')
    await assertOther(identity)
    await em.execute('drop table holdfast_identity')
    await assertOther(identity)
  })

  test('says where the primary stands, and never less than before', async ({ store, connection, identity, t }) => {
    const first = await connection.position(identity)
    if (first === null) {
      t.skip('the feed does not know where the primary stands')
      return
    }
    await insertCarried(store, [imageOf({})])
    const second = await connection.position(identity)
    assert.ok(second !== null && second > first)
    const error = await rejection(connection.position(randomUUID()))
    assert.equal(bench().driver.classify(error, 'statement').code, otherSourceCode)
  })

  test('says how large a table is, which columns it has, and that there is none', async ({ store, connection }) => {
    const few = Array.from({ length: 30 }, () => imageOf({ text: 'x'.repeat(2_000) }))
    await insertCarried(store, few)
    const size = await connection.size(carried)
    assert.ok(size !== null && size.rows >= 0 && size.bytes > 0)
    assert.deepEqual([...size.columns].sort(), carried.columns.map(({ name }) => name).sort())
    assert.equal(await connection.size({ ...carried, name: 'conformance_nowhere' }), null)
  })
}

/** How connections of a feed begin and end. */
export function conformFeedConnections(bench: () => Bench, test: FeedTest): void {
  test('feeds while every connection of the pool is in use', async ({ store, connection, identity }) => {
    const most = limits.poolSize + limits.poolMaxOverflow
    const [inside, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let open = 0
    const holders = Array.from({ length: most }, () =>
      store.orm.em.fork().transactional(async (em) => {
        await em.execute('select 1')
        open += 1
        if (open === most) inside.resolve()
        await over.promise
      }),
    )
    await within(inside.promise, limits.queryMs + slackMs)
    const another = await feedOf(store).connect(AbortSignal.timeout(limits.connectMs))
    for (const one of [connection, another]) assert.equal((await one.digest(identity, notes, null, 10)).count, 0)
    await another.close()
    over.resolve()
    await Promise.all(holders)
  })

  test('frees the caller of a feed at its end, and ends it twice', async ({ store, connection, identity }) => {
    await assert.rejects(feedOf(store).connect(AbortSignal.abort(new Error('on purpose'))), /on purpose/)
    for (const end of ['evict', 'close'] as const) {
      const one = await feedOf(store).connect(AbortSignal.timeout(limits.connectMs))
      const call = rejection(one.digest(identity, carried, null, 10))
      one.evict()
      assert.equal(bench().driver.classify(await within(call, slackMs), 'statement').kind, 'lost')
      await one[end]()
      await one.close()
      one.evict()
      const late = await rejection(one.page(identity, carried, null, 1))
      assert.equal(bench().driver.classify(late, 'statement').kind, 'lost')
    }
    assert.equal((await connection.digest(identity, carried, null, 10)).count, 0)
  })

  test('feeds within the limit of a statement', async ({ connection, identity, t }) => {
    const { pause, resume } = bench().harness
    if (pause === undefined || resume === undefined) {
      t.skip('the harness cannot pause a server')
      return
    }
    await connection.digest(identity, carried, null, 10)
    await pause()
    try {
      const call = rejection(connection.digest(identity, carried, null, 10))
      const error = await within(call, limits.queryMs + slackMs)
      const { kind, ambiguous } = bench().driver.classify(error, 'statement')
      assert.deepEqual([kind, ambiguous], ['lost', false])
    } finally {
      await resume()
    }
  })
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
