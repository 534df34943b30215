import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/mysql/mysql.ts'
import { type Bench, type BenchStore, createBench, openStore, urlAddress } from '../../../src/conformance/bench.ts'
import { rejection } from '../../../src/conformance/connection.ts'
import { carried, feedOf, imageOf, insertCarried, pagesOf } from '../../../src/conformance/feed/feed-bench.ts'
import { type CopiedTable, type FeedConnection, otherSourceCode } from '../../../src/driver/facet/feed.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { cleanupOf } from '../../support/temp.ts'

/** The server's largest packet in these tests. */
const packetBytes = 1_024 * 1_024

describe('the feed of a real MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  let bench: Bench
  before(async () => {
    server = await startMariadb(cleanup, { settings: [`--max-allowed-packet=${packetBytes}`] })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  async function open(address: string, made = false): Promise<BenchStore> {
    const { target } = driver.parse(urlAddress(bench, address), bench.settings)
    assert.ok(target)
    const store = await openStore(bench, { target, made })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    return store
  }

  async function connect(store: BenchStore): Promise<FeedConnection> {
    const connection = await feedOf(store).connect(AbortSignal.timeout(3_000))
    cleanup.after(() => connection.close())
    return connection
  }

  /** A new database with the suite's tables, a store on it, and a connection of its feed. */
  async function openFeed() {
    const database = await server.createDatabase()
    const store = await open(server.url(database))
    const [row] = await store.orm.em.fork().execute<{ id: string }[]>('select id from holdfast_identity')
    return { database, store, identity: String(row?.id), connection: await connect(store) }
  }

  test('a date that is none stays as it is', async () => {
    const { database, store, identity, connection } = await openFeed()
    for (const date of ['0000-00-00 00:00:00', '2026-00-00 00:00:00', '0001-01-01 00:00:00']) {
      await insertCarried(store, [imageOf({})])
      await server.query(
        `set statement sql_mode = '' for update conformance_carried set createdAt = '${date}'`,
        database,
      )
      const [row] = await connection.page(identity, carried, null, 1)
      assert.equal(row?.image.createdAt, date.startsWith('0001') ? '-62135596800000' : date)
      await server.query('delete from conformance_carried', database)
    }
  })

  test('a server that was set to read-only feeds nothing', async () => {
    const { store, identity, connection } = await openFeed()
    await insertCarried(store, [imageOf({})])
    await server.query('set global read_only = 1')
    try {
      for (const call of [connection.digest(identity, carried, null, 1), connection.page(identity, carried, null, 1)]) {
        const { kind, code } = driver.classify(await rejection(call), 'statement')
        assert.deepEqual([kind, code], ['configuration', otherSourceCode])
      }
    } finally {
      await server.query('set global read_only = 0')
    }
    assert.equal((await connection.digest(identity, carried, null, 1)).count, 1)
  })

  test('a server that shows what has not been committed feeds committed rows alone', async () => {
    await server.query('set global transaction isolation level read uncommitted')
    try {
      const { store, identity, connection } = await openFeed()
      const em = store.orm.em.fork()
      await em.begin()
      await em.execute('insert into conformance_carried (id, required) values (?, ?)', [randomUUID(), 'x'])
      assert.equal((await connection.digest(identity, carried, null, 10)).count, 0)
      await em.rollback()
    } finally {
      await server.query('set global transaction isolation level repeatable read')
    }
  })

  test('a row larger than a packet has a version, which each of its columns changes', async () => {
    const { database, store, identity, connection } = await openFeed()
    await insertCarried(store, [imageOf({ id: randomUUID(), text: 'x'.repeat(700_000) })])
    await server.query(`update conformance_carried set data = concat('"', repeat('y', 700000), '"')`, database)
    const seen = new Set<string>()
    for (const change of [
      'defaulted = defaulted',
      "text = concat(left(text, 699999), 'z')",
      `data = concat('"', repeat('y', 699999), 'z"')`,
      '`order` = 1',
    ]) {
      await server.query(`update conformance_carried set ${change}`, database)
      const [row] = await connection.page(identity, carried, null, 10)
      assert.match(row?.version ?? '', /^[0-9a-f]{32}$/)
      assert.equal((await connection.versions(identity, carried, null, null)).get(row?.key ?? ''), row?.version)
      seen.add(row?.version ?? '')
    }
    assert.equal(seen.size, 4)
  })

  test('keys are fed by their bytes, whatever their type and collation', async () => {
    const { database, identity, connection } = await openFeed()
    const keys = ['A', 'B', 'a', 'a-', 'aa', 'ab', 'é']
    const types = [
      'varchar(20) collate utf8mb4_general_ci',
      'varchar(20) collate utf8mb4_nopad_bin',
      'char(20) character set latin1 collate latin1_swedish_ci',
      'varchar(20) collate utf8mb4_bin',
    ]
    for (const [at, type] of types.entries()) {
      const name = `order_${at}`
      // A key that forgets case would refuse some of them.
      const own = type.includes('_ci') ? keys.filter((key) => key !== 'A') : keys
      await server.query(`create table ${name} (id ${type} primary key)`, database)
      await server.query(`insert into ${name} values ('${own.toReversed().join("'), ('")}')`, database)
      const table = tableOf(name, 'bytes')
      assert.deepEqual(
        (await pagesOf(connection, identity, table, 2)).map(({ key }) => key),
        own,
        type,
      )
      assert.equal((await connection.digest(identity, table, 'B', 3)).last, 'aa', type)
      assert.deepEqual([...(await connection.versions(identity, table, 'a-', 'ab')).keys()].sort(), ['aa', 'ab'], type)
      assert.equal((await connection.rows(identity, table, ['a', 'é', 'x'])).rows.length, 2, type)
    }
  })

  test('ids of the type uuid, which the server sorts by time, are fed by their digits', async () => {
    const { database, identity, connection } = await openFeed()
    const ids = Array.from({ length: 20 }, () => randomUUID()).concat('01900000-0000-1000-8000-000000000000')
    await server.query('create table ids (id uuid primary key)', database)
    await server.query(`insert into ids values ('${ids.join("'), ('")}')`, database)
    const table = tableOf('ids', 'uuid')
    assert.deepEqual(
      (await pagesOf(connection, identity, table, 6)).map(({ key }) => key),
      ids.sort(),
    )
    assert.equal((await connection.digest(identity, table, ids[4] ?? '', 3)).last, ids[7])
    assert.equal((await connection.rows(identity, table, ids)).rows.length, ids.length)
  })

  test('reads a part of a table by its index where keys are ids or numbers', async () => {
    const { database, identity } = await openFeed()
    const texts: string[] = []
    const { target } = driver.parse(urlAddress(bench, server.url(database)), bench.settings)
    assert.ok(target)
    const limits = { connectMs: 3_000, queryMs: 3_000, transactionMs: 3_000, poolSize: 1, poolMaxOverflow: 0 }
    const store = await openStore(bench, {
      target,
      made: true,
      limits: { ...limits, echo: (text) => void texts.push(text) },
    })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    await server.query('create table counted (id bigint primary key, filler char(200))', database)
    await server.query("insert into counted select seq, 'x' from seq_1_to_5000", database)
    const connection = await connect(store)
    const [last] = (await connection.page(identity, tableOf('counted', 'number', 'integer'), '2500', 5)).slice(-1)
    assert.equal(last?.key, '2505')
    await connection.digest(identity, carried, randomUUID(), 5)
    const reading = texts.filter(
      (text) => /limit 5$|limit 5\)$|limit 5\n/.test(text) && text.includes('holdfast source'),
    )
    assert.equal(reading.length, 2)
    for (const text of reading) {
      assert.ok(!text.includes('2500'), 'values are not in the text')
      let at = 0
      const plain = text.replaceAll(
        '?',
        () => [`'${identity}'`, text.includes('counted') ? "'2500'" : `'${randomUUID()}'`][at++] ?? '',
      )
      const plan = await server.query(`explain ${plain}`, database)
      const table = plan.find((row) => row.table === 'counted' || row.table === 'conformance_carried')
      assert.deepEqual([table?.type, table?.key], ['range', 'PRIMARY'], JSON.stringify(plan))
    }
  })

  test('the size of a table is that of the statistics, and a view has none', async () => {
    const { database, connection } = await openFeed()
    await server.query('create table sized (id bigint primary key, filler char(200))', database)
    await server.query("insert into sized select seq, 'x' from seq_1_to_5000", database)
    await server.query('analyze table sized', database)
    await server.query('create view seen as select * from sized', database)
    const size = await connection.size(tableOf('sized', 'number', 'integer'))
    assert.ok(size !== null && Math.abs(size.rows - 5_000) < 500, `${size?.rows}`)
    assert.ok(size.bytes > 100_000 && size.bytes < 5_000_000, `${size.bytes}`)
    assert.deepEqual(size.columns, ['id', 'filler'])
    assert.equal(await connection.size(tableOf('seen', 'number', 'integer')), null)
  })
})

function tableOf(name: string, keyOrder: CopiedTable['keyOrder'], kind: 'text' | 'integer' = 'text'): CopiedTable {
  const key = { name: 'id', kind }
  return { name, key, keyOrder, columns: [key] }
}
