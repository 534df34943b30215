import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, createBench, Note, note, openStore } from '../../../src/conformance/bench.ts'
import { noPgbouncer, type Pgbouncer, startPgbouncer } from '../../support/servers/pgbouncer.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanLater, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { assertWhole, faultOf, insert, openingFault, short, targetOf } from './room.ts'

interface Room {
  readonly store: BenchStore
  readonly proxy: TcpProxy
  readonly database: string
}

describe('faults through a PgBouncer in transaction mode', { skip: noPostgres || noPgbouncer }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let pooler: Pgbouncer
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    pooler = await startPgbouncer(cleanup, server, { settings: ['server_login_retry = 1', 'query_wait_timeout = 5'] })
    bench = await createBench(driver, { address: async () => pooler.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  /** A store with a pool of two, behind a proxy before the pooler. */
  async function openRoom(t: TestContext): Promise<Room> {
    const proxy = await startProxy(t, pooler)
    const database = await server.createDatabase()
    const store = await openStore(bench, { target: targetOf(bench, server.url(database, proxy.port)), limits: short })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    return { store, proxy, database }
  }

  const wholeAgain = (store: BenchStore, withinMs = 6_000) =>
    until(() => assertWhole(store).then(() => true), { withinMs, what: 'the pool to be whole' })

  for (const [where, pattern] of [
    ['at BEGIN', /begin/i],
    ['inside', /insert/i],
    ['at COMMIT', /commit/i],
  ] as const) {
    test(`a pool of two is whole after three connections to the pooler were cut ${where}`, async (t) => {
      const { store, proxy, database } = await openRoom(t)
      for (let round = 0; round < 3; round += 1) {
        const met = proxy.once(pattern, 'cut')
        const fault = await faultOf(insert(store, `n-${round}`), where === 'at COMMIT' ? 'commit' : 'statement')
        await met
        assert.equal(fault.kind, 'lost')
        assert.equal(fault.ambiguous, where === 'at COMMIT')
      }
      await assertWhole(store)
      assert.deepEqual(await server.query('select count(*)::int as n from conformance_note', database), [{ n: 0 }])
    })
  }

  test('a pool of two is whole after statements that took too long, and the pooler has let them go', async (t) => {
    const { store } = await openRoom(t)
    for (let round = 0; round < 3; round += 1) {
      const inside = store.orm.em.fork().transactional((em) => em.execute('select pg_sleep(2)'))
      assert.equal((await faultOf(inside, 'statement')).code, 'QUERY_TIMEOUT')
      assert.equal((await faultOf(store.orm.em.fork().execute('select pg_sleep(2)'), 'statement')).kind, 'lost')
    }
    await wholeAgain(store)
  })

  test('a pooler that is killed is lost, and the pool is whole once it is back', async (t) => {
    const { store, database } = await openRoom(t)
    const held = store.orm.em.fork()
    await held.begin()
    await held.insert(Note, note('never'))
    await pooler.kill()
    try {
      assert.match((await faultOf(store.orm.em.fork().count(Note), 'statement')).kind, /^(lost|unreachable)$/)
      assert.match((await faultOf(held.commit(), 'commit')).kind, /^(lost|unreachable)$/)
      assert.equal((await openingFault(bench, pooler.url(database))).code, 'ECONNREFUSED')
    } finally {
      await pooler.start()
    }
    await wholeAgain(store)
    assert.equal(await store.orm.em.fork().count(Note), 0)
  })

  test('a pooler that is stopped frees its callers within the limit, and serves on when it goes on', async (t) => {
    const { store, database } = await openRoom(t)
    pooler.pause()
    try {
      const began = performance.now()
      const native = store.statements().write('insert into conformance_note values ($1, $1, 0)', ['late'])
      const [reading, writing] = await Promise.all([
        faultOf(store.orm.em.fork().execute('select 1'), 'statement'),
        faultOf(native, 'commit'),
      ])
      assert.ok(performance.now() - began < short.queryMs + 500)
      // One of the two needed a new connection: then nothing was sent, and the pool is not said to be too small.
      for (const fault of [reading, writing]) assert.match(fault.kind, /^(lost|unreachable)$/, fault.code)
      assert.equal(reading.ambiguous, false)
      assert.equal((await openingFault(bench, pooler.url(database), 300)).kind, 'unreachable')
    } finally {
      pooler.resume()
    }
    await wholeAgain(store)
  })

  test('PostgreSQL killed behind the pooler is away: never a mistake of the address, and never ambiguous before COMMIT', async (t) => {
    const { store, database } = await openRoom(t)
    const held = store.orm.em.fork()
    await held.begin()
    await held.insert(Note, note('never'))
    await server.kill()
    try {
      const inside = await faultOf(held.insert(Note, note('inside')), 'statement')
      assert.deepEqual([inside.kind, inside.ambiguous], ['lost', false])
      await held.rollback()
      await until(async () => (await openingFault(bench, pooler.url(database))).code === '08P01')
      const opening = await openingFault(bench, pooler.url(database))
      assert.deepEqual([opening.kind, opening.ambiguous], ['unreachable', false], opening.summary)
      const unsent = await faultOf(store.statements().write('delete from conformance_note', []), 'commit')
      assert.deepEqual([unsent.kind, unsent.ambiguous], ['unreachable', false], unsent.summary)
    } finally {
      await server.start()
    }
    await wholeAgain(store)
    assert.equal(await store.orm.em.fork().count(Note), 0)
  })

  test('a COMMIT during which the server behind the pooler dies is ambiguous', async (t) => {
    const { store } = await openRoom(t)
    // Deferred to COMMIT: the server dies while it commits.
    await store.orm.em.fork().execute(`create function slow() returns trigger language plpgsql as
      'begin perform pg_sleep(3); return null; end'`)
    await store.orm.em.fork().execute(`create constraint trigger slow after insert on conformance_note
      deferrable initially deferred for each row execute function slow()`)
    const committing = faultOf(insert(store, 'a'), 'commit')
    await until(async () => {
      const rows = await server.query("select 1 from pg_stat_activity where query = 'commit' and state = 'active'")
      return rows.length > 0
    })
    await server.kill()
    const fault = await committing
    await server.start()
    assert.deepEqual([fault.kind, fault.ambiguous], ['lost', true], fault.code)
    await wholeAgain(store)
  })

  test('names that do not last are left, though POSTGRESQL_POOLED=no says that they do', async () => {
    const settings = { ...bench.settings, plugins: { postgresql: { pooled: 'no' } } }
    const database = await server.createDatabase()
    const target = targetOf({ ...bench, settings }, pooler.url(database))
    assert.equal(target.pooled, 'no')
    await using(await openStore(bench, { target, limits: short }), async (store) => {
      const { read, write } = store.statements()
      await write('insert into conformance_note values ($1, $1, 0)', ['a'])
      for (let round = 0; round < 3; round += 1) {
        const all = await Promise.all([1, 2, 3, 4].map(() => read('select id from conformance_note', [])))
        assert.deepEqual([...new Set(all.flat().map(({ id }) => id))], ['a'])
        await server.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`,
        )
        await until(async () => (await read('select 1 as one', [])).length === 1)
      }
      await server.query(`alter table conformance_note add column more text`, database)
      assert.equal((await read('select * from conformance_note', [])).length, 1)
    })
  })

  test('statements that were sent together are each answered once, and each write is carried out once', async () => {
    const settings = { ...bench.settings, plugins: { postgresql: { pooled: 'no' } } }
    const target = targetOf({ ...bench, settings }, pooler.url(await server.createDatabase()))
    const limits = { ...short, poolMaxOverflow: 8, queryMs: 5_000 }
    await using(await openStore(bench, { target, limits }), async (store) => {
      const { read, write } = store.statements()
      for (let at = 0; at < 40; at += 1) await read('select $1::int as one', [at])
      const ids = Array.from({ length: 60 }, (_, at) => `n-${at}`)
      const [rows] = await Promise.all([
        Promise.all(ids.map((_, at) => read('select $1::int as one', [at]))),
        Promise.all(ids.map((id) => write('insert into conformance_note values ($1, $1, 0)', [id]))),
      ])
      assert.deepEqual(
        rows.flat().map(({ one }) => one),
        ids.map((_, at) => at),
      )
      assert.deepEqual(await read('select count(*)::int as n from conformance_note', []), [{ n: ids.length }])
    })
  })

  test('inside a transaction a name that is gone is transient: the transaction can be run again', async () => {
    const settings = { ...bench.settings, plugins: { postgresql: { pooled: 'no' } } }
    const target = targetOf({ ...bench, settings }, pooler.url(await server.createDatabase()))
    await using(await openStore(bench, { target, limits: short }), async (store) => {
      const { read } = store.statements()
      const work = () => store.orm.em.fork().transactional(async () => (await read('select 1 as one', []))[0]?.one)
      assert.equal(await work(), 1)
      await store.orm.em.fork().execute('deallocate all')
      const fault = await faultOf(work(), 'statement')
      assert.deepEqual([fault.kind, fault.code], ['transient', 'STATEMENT_STALE'])
      assert.equal(await work(), 1)
    })
  })

  test('each way in which an opening through a pooler fails has its kind', async () => {
    const database = await server.createDatabase()
    const url = pooler.url(database)
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [url.replace(/:[^:@]*@/, ':wrong@'), 'auth', /user or the password/],
      [url.replace('holdfast:', 'nobody:'), 'auth', /user or the password/],
      [pooler.url('missing_database'), 'configuration', /does not exist/],
      [`${url}?options=-c%20geqo%3Doff`, 'configuration', /parameter/],
      [`${url}?sslmode=require`, 'tls', /TLS/],
    ]
    for (const [text, kind, summary] of cases) {
      const fault = await openingFault(bench, text)
      assert.equal(fault.kind, kind, `${fault.code}: ${fault.summary}`)
      assert.match(fault.summary, summary)
    }
  })

  test('a full pooler is "capacity", whether at the door or while a statement waits', async (t) => {
    const small = await startPgbouncer(t, server, {
      settings: ['max_client_conn = 2', 'default_pool_size = 1', 'query_wait_timeout = 1'],
    })
    const database = await server.createDatabase()
    const patient = { ...short, queryMs: 3_000 }
    const target = targetOf(bench, small.url(database))
    await using(await openStore(bench, { target, limits: patient }), async (store) => {
      const held = store.orm.em.fork()
      await held.begin()
      await held.count(Note)
      const waiting = await faultOf(store.statements().write('delete from conformance_note', []), 'commit')
      assert.deepEqual([waiting.kind, waiting.ambiguous], ['capacity', false], waiting.summary)
      await held.rollback()
      await assertWhole(store)
      const full = await openingFault(bench, small.url(database))
      assert.equal(full.kind, 'capacity', `${full.code}: ${full.summary}`)
    })
  })

  test('nothing is left at the pooler or at the server by an ORM that is closed', async (t) => {
    const { store, proxy, database } = await openRoom(t)
    for (let round = 0; round < 10; round += 1) {
      proxy.dropAll()
      await Promise.allSettled([1, 2, 3, 4].map((at) => insert(store, `r-${round}-${at}`)))
    }
    await store.engine.close(store.orm, 500)
    await until(async () => {
      const clients = await pooler.console('show clients')
      return clients.every((client) => client.database !== database)
    })
    const open = `select count(*)::int as n from pg_stat_activity where datname = '${database}' and state <> 'idle'`
    assert.deepEqual(await server.query(open), [{ n: 0 }])
  })
})

async function using<S extends AsyncDisposable>(store: S, work: (store: S) => Promise<void>): Promise<void> {
  try {
    await work(store)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}
