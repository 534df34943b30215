import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, createBench, limits, openStore } from '../../../src/conformance/bench.ts'
import { carried, feedOf, imageOf, insertCarried, pagesOf } from '../../../src/conformance/feed/feed-bench.ts'
import { type CopiedTable, type FeedConnection, otherSourceCode } from '../../../src/driver/facet/feed.ts'
import { noStandby, type Postgres, startPostgres, startStandby } from '../../support/servers/postgres.ts'
import { noBinaries } from '../../support/servers/postgres-binaries.ts'
import { cleanupOf } from '../../support/temp.ts'
import { faultOf, targetOf } from './room.ts'

for (const binaries of ['system', 'embedded'] as const) {
  describe(`the feed of a real PostgreSQL (${binaries})`, { skip: noBinaries(binaries) }, () => describeFeed(binaries))
}

function describeFeed(binaries: 'system' | 'embedded'): void {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup, { binaries })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  async function open(address: string, made = false): Promise<BenchStore> {
    const store = await openStore(bench, { target: targetOf(bench, address), made })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    return store
  }

  async function connect(store: BenchStore): Promise<FeedConnection> {
    const connection = await feedOf(store).connect(AbortSignal.timeout(3_000))
    cleanup.after(() => connection.close())
    return connection
  }

  const identityOf = async ({ orm }: BenchStore): Promise<string> =>
    String((await orm.em.fork().execute<{ id: string }[]>('select id from holdfast_identity'))[0]?.id)

  /** A new database with the suite's tables, a store on it, and a connection of its feed. */
  async function openFeed(query = '', prepare: readonly string[] = []) {
    const database = await server.createDatabase()
    for (const text of prepare) await server.query(text.replaceAll('$database', database), database)
    const store = await open(server.url(database) + query)
    return { database, store, identity: await identityOf(store), connection: await connect(store) }
  }

  test('a partitioned table is fed, and returns versions, although it returns no system columns', async () => {
    const { database, store, identity, connection } = await openFeed()
    await server.query(
      `create table parts (id uuid primary key, n int) partition by hash (id);
       create table parts_0 partition of parts for values with (modulus 2, remainder 0);
       create table parts_1 partition of parts for values with (modulus 2, remainder 1);
       create view parts_seen as select * from parts`,
      database,
    )
    const table = tableOf('parts', 'uuid', 'text')
    const { returned } = feedOf(store)
    assert.ok(returned)
    const claiming = 'with claim as (insert into holdfast_attempt (id) values ($1) returning id)'
    const versions = new Map<string, unknown>()
    for (let at = 0; at < 6; at += 1) {
      const text = `${claiming} insert into parts select id, 1 from claim returning id, ${returned('parts')} as version`
      const { rows } = await store.statements().write(text, [randomUUID()])
      versions.set(String(rows[0]?.id), rows[0]?.version)
    }
    const update = `${claiming} update parts set n = 2 from claim where parts.id = $2 returning ${returned('parts')} as version`
    const [changed = ''] = versions.keys()
    versions.set(changed, (await store.statements().write(update, [randomUUID(), changed])).rows[0]?.version)
    const { last } = await connection.digest(identity, table, null, 3)
    assert.deepEqual(await connection.versions(identity, table, null, null), versions)
    assert.deepEqual(
      (await pagesOf(connection, identity, table, 4)).map(({ key }) => key),
      [...versions.keys()].sort(),
    )
    assert.equal(last, [...versions.keys()].sort()[2])
    const seen = `insert into parts_seen values ($1, 3) returning ${returned('parts_seen')} as version`
    assert.match(String((await store.statements().write(seen, [randomUUID()])).rows[0]?.version), /^\d+$/)
  })

  test('reads of a feed make no other transaction fail where transactions are serializable', async () => {
    const { database, identity, connection } = await openFeed('', [
      `alter database $database set default_transaction_isolation = 'serializable'`,
      `alter database $database set default_transaction_read_only = off`,
    ])
    const other = await open(server.url(database), true)
    await insertCarried(other, [imageOf({})])
    await other.orm.em.fork().transactional(async (em) => {
      // A lock of a reader is kept while a transaction of its time is open.
      await em.execute('insert into conformance_note (id, text, count) values (?, ?, 0)', ['a', 'a'])
      await connection.digest(identity, carried, null, 10)
      await connection.page(identity, carried, null, 10)
      const locks = await em.execute<unknown[]>(
        `select pid from pg_locks where mode = 'SIReadLock' and pid <> pg_backend_pid()`,
      )
      assert.deepEqual(locks, [])
    })
    const error = await faultOf(connection.digest(identity, { ...carried, name: 'nowhere' }, null, 1), 'statement')
    assert.equal(error.code, '42P01')
    assert.equal((await connection.digest(identity, carried, null, 10)).count, 1)
  })

  test('numbers are fed exactly where the role rounds them, also through a pooler', async () => {
    for (const query of ['', '?pgbouncer=true']) {
      const { store, identity, connection } = await openFeed(query, [
        'alter database $database set extra_float_digits = 0',
      ])
      const [one, two] = [imageOf({ ratio: '0.30000000000000004' }), imageOf({ ratio: '-0.1' })]
      await insertCarried(store, [one, two])
      const rows = await connection.page(identity, carried, null, 10)
      assert.deepEqual(new Set(rows.map(({ image }) => image.ratio)), new Set(['0.30000000000000004', '-0.1']))
      const [row] = (await connection.rows(identity, carried, [one.id ?? ''])).rows
      assert.equal(row?.image.ratio, one.ratio)
    }
  })

  test('tables are found along the search path of the address', async () => {
    const { database, store, identity, connection } = await openFeed('?options=-csearch_path%3Dapp', [
      'create schema app',
    ])
    await insertCarried(store, [imageOf({})])
    assert.equal((await server.query('select id from app.conformance_carried', database)).length, 1)
    assert.equal((await connection.page(identity, carried, null, 10)).length, 1)
    assert.equal((await connection.size(carried))?.rows, 1)
  })

  test('keys that are texts are fed by their bytes, whatever their type and collation', async () => {
    const { database, identity, connection } = await openFeed()
    const keys = ['A', 'B', 'a', 'a-', 'aa', 'ab', 'é']
    const types = ['text', 'text collate "C"', 'varchar(20) collate "und-x-icu"', 'char(20) collate "und-x-icu"']
    for (const [at, type] of types.entries()) {
      const name = `order_${at}`
      await server.query(`create table ${name} (id ${type} primary key)`, database)
      await server.query(`insert into ${name} values ('${keys.toReversed().join("'), ('")}')`, database)
      const table = tableOf(name, 'bytes', 'text')
      const rows = await pagesOf(connection, identity, table, 2)
      assert.deepEqual(
        rows.map(({ key }) => key),
        keys,
        type,
      )
      assert.equal((await connection.digest(identity, table, 'B', 3)).last, 'aa', type)
      assert.deepEqual([...(await connection.versions(identity, table, 'a-', 'ab')).keys()].sort(), ['aa', 'ab'], type)
      assert.equal((await connection.rows(identity, table, ['a', 'é', 'x'])).rows.length, 2, type)
    }
  })

  test('the size of a table is its own, never analyzed, analyzed and partitioned', async () => {
    const { database, connection } = await openFeed()
    await server.query(
      `create table sized (id int primary key, text text);
       insert into sized select n, repeat('x', 100) from generate_series(1, 5000) as n;
       create table halves (id int primary key, text text) partition by range (id);
       create table halves_0 partition of halves for values from (0) to (2501);
       create table halves_1 partition of halves for values from (2501) to (10000);
       insert into halves select * from sized;
       create view seen as select * from sized`,
      database,
    )
    const sizes = async () =>
      Promise.all(['sized', 'halves'].map((name) => connection.size(tableOf(name, 'number', 'integer'))))
    for (const round of ['never analyzed', 'analyzed']) {
      for (const size of await sizes()) {
        assert.ok(size !== null && Math.abs(size.rows - 5_000) < 50, `${round}: ${size?.rows}`)
        assert.ok(size.bytes > 500_000 && size.bytes < 2_000_000, `${round}: ${size.bytes}`)
        assert.deepEqual(size.columns, ['id', 'text'])
      }
      await server.query('analyze sized, halves', database)
    }
    assert.equal(await connection.size(tableOf('seen', 'number', 'integer')), null, 'a view has no rows of its own')
  })

  test('a feed needs the right to SELECT the columns and xmin, and no other; columns without it are not named', async () => {
    const { database, store, identity } = await openFeed()
    await insertCarried(store, [imageOf({})])
    const reader = `reader_${randomUUID().slice(0, 8)}`
    const columns = carried.columns.filter(({ name }) => name !== 'data')
    await server.query(
      `create role ${reader} login password 'reader';
       grant select on holdfast_identity to ${reader};
       grant select (xmin, ${columns.map(({ name }) => `"${name}"`).join(', ')}) on conformance_carried to ${reader}`,
      database,
    )
    const address = new URL(server.url(database))
    Object.assign(address, { username: reader, password: 'reader' })
    const connection = await connect(await open(String(address), true))
    const size = await connection.size(carried)
    assert.deepEqual([...(size?.columns ?? [])].sort(), columns.map(({ name }) => name).sort())
    const table = { ...carried, columns }
    assert.equal((await connection.page(identity, table, null, 10)).length, 1)
    assert.equal((await connection.digest(identity, table, null, 10)).count, 1)
    assert.notEqual(await connection.position(identity), null)
    const fault = await faultOf(connection.page(identity, carried, null, 10), 'statement')
    assert.equal(fault.code, '42501')
  })

  test('a server without SHA-256 has no feed', async () => {
    const [candidate] = await driver.connect(targetOf(bench, server.url()), limits)
    const facts = { path: null, ephemeral: false, pooled: false, problems: [] }
    assert.equal(candidate?.engine({ ...facts, version: '10.23' }).feed, undefined)
    assert.notEqual(candidate?.engine({ ...facts, version: '11.0' }).feed, undefined)
  })

  test('a standby feeds nothing', { skip: binaries === 'embedded' ? 'once is enough' : noStandby }, async () => {
    const { database, store, identity } = await openFeed()
    await insertCarried(store, [imageOf({})])
    const standby = await startStandby(cleanup, server)
    const connection = await connect(await open(`${standby.url(database)}?target_session_attrs=any`, true))
    for (const call of [connection.digest(identity, carried, null, 10), connection.page(identity, carried, null, 10)]) {
      const { kind, code } = await faultOf(call, 'statement')
      assert.deepEqual([kind, code], ['configuration', otherSourceCode])
    }
  })
}

function tableOf(name: string, keyOrder: CopiedTable['keyOrder'], kind: 'text' | 'integer'): CopiedTable {
  const key = { name: 'id', kind }
  return { name, key, keyOrder, columns: [key] }
}
