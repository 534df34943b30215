import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, type TestContext, test } from 'node:test'
import { raw } from '@mikro-orm/core'
import { CompiledQuery } from 'kysely'
import type { Pool } from 'pg'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, createBench, Note, note, openStore } from '../../../src/conformance/bench.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanLater, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import {
  assertWhole as assertPool,
  faultOf,
  insert,
  openingFault as openingFaultOf,
  targetOf as readTarget,
  short,
} from './room.ts'

interface Room {
  readonly store: BenchStore
  readonly proxy: TcpProxy
  readonly database: string
}

describe('faults of a real PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  /** A store with a pool of two, behind a proxy. */
  async function openRoom(t: TestContext, limits = short): Promise<Room> {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const store = await openStore(bench, { target: targetOf(server.url(database, proxy.port)), limits })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    return { store, proxy, database }
  }

  const targetOf = (text: string) => readTarget(bench, text)
  const openingFault = (text: string, withinMs?: number) => openingFaultOf(bench, text, withinMs)

  async function assertWhole({ store, proxy }: Room): Promise<void> {
    proxy.behave('pass')
    await assertPool(store)
  }

  for (const how of ['cut', 'reset'] as const) {
    for (const [where, pattern] of [
      ['at BEGIN', /begin/i],
      ['inside', /insert/i],
      ['at COMMIT', /commit/i],
    ] as const) {
      test(`a pool of two is whole after three connections were ${how} ${where}`, async (t) => {
        const room = await openRoom(t)
        for (let round = 0; round < 3; round += 1) {
          const met = room.proxy.once(pattern, how)
          const fault = await faultOf(insert(room.store, `n-${round}`), where === 'at COMMIT' ? 'commit' : 'statement')
          await met
          assert.match(fault.kind, /^(lost|unreachable)$/)
          assert.equal(fault.ambiguous, where === 'at COMMIT', 'only a COMMIT may have happened')
        }
        await assertWhole(room)
        const rows = await server.query('select count(*)::int as n from conformance_note', room.database)
        assert.deepEqual(rows, [{ n: 0 }])
      })
    }
  }

  test('a pool of two is whole after statements that took too long, inside transactions and outside', async (t) => {
    const room = await openRoom(t)
    const { orm } = room.store
    for (let round = 0; round < 3; round += 1) {
      const inside = orm.em.fork().transactional((em) => em.execute('select pg_sleep(20)'))
      const fault = await faultOf(inside, 'statement')
      assert.deepEqual([fault.kind, fault.code, fault.ambiguous], ['lost', 'QUERY_TIMEOUT', false])
    }
    for (let round = 0; round < 2; round += 1) {
      assert.equal((await faultOf(orm.em.fork().execute('select pg_sleep(20)'), 'statement')).code, 'QUERY_TIMEOUT')
    }
    await assertWhole(room)
  })

  test('what took too long is cancelled at the server, alone, in a transaction and in a stream', async (t) => {
    const room = await openRoom(t)
    const { orm } = room.store
    const running = `select count(*)::int as n from pg_stat_activity where datname = '${room.database}' and query like '%pg_sleep(20)%' and state = 'active' and pid <> pg_backend_pid()`
    const stopped = () =>
      until(async () => (await server.query(running))[0]?.n === 0, { withinMs: 3_000, what: 'the server to stop it' })
    assert.equal((await faultOf(orm.em.fork().execute('select pg_sleep(20)'), 'statement')).code, 'QUERY_TIMEOUT')
    await stopped()
    const inside = orm.em.fork().transactional((em) => em.execute('select pg_sleep(20)'))
    assert.equal((await faultOf(inside, 'statement')).code, 'QUERY_TIMEOUT')
    await stopped()
    const streaming = async () => {
      for await (const _ of orm.em
        .fork()
        .createQueryBuilder(Note)
        .select([raw('pg_sleep(20)')])
        .stream());
    }
    await insert(room.store, 'slow')
    assert.equal((await faultOf(streaming(), 'statement')).code, 'QUERY_TIMEOUT')
    await stopped()
    await assertWhole(room)
  })

  test("a connection whose statement is cancelled from outside is nobody else's afterwards", async (t) => {
    // The statement lasts until it is cancelled: neither its own end nor QUERY_TIMEOUT may be first on a busy machine.
    const { store } = await openRoom(t, { ...short, queryMs: 60_000 })
    const sleep = 'select pg_sleep(60)'
    const { orm } = store
    const kysely = orm.em.fork().getKysely()
    const numbers: number[] = []
    for (const inflightQueryAbortStrategy of ['cancel query', 'kill session'] as const) {
      const [row] = await orm.em.fork().execute<{ pid: number }[]>('select pg_backend_pid() as pid')
      numbers.push(row?.pid ?? 0)
      const over = new AbortController()
      const sleeping = kysely.executeQuery(CompiledQuery.raw(sleep), {
        signal: over.signal,
        inflightQueryAbortStrategy,
      })
      const refused = assert.rejects(sleeping)
      await until(
        async () =>
          (await server.query(`select query from pg_stat_activity where pid = ${row?.pid}`))[0]?.query === sleep,
      )
      over.abort()
      await refused
      const left = `select count(*)::int as n from pg_stat_activity where pid = ${row?.pid}`
      await until(async () => (await server.query(left))[0]?.n === 0, { what: 'its connection to be gone' })
    }
    assert.equal(new Set(numbers).size, 2)
    await assertPool(store)
  })

  test('a connection that is silent is asked for every half minute', {
    skip: existsSync('/proc/net/tcp') ? false : 'the system does not show its timers',
  }, async (t) => {
    const target = targetOf(server.url(await server.createDatabase()))
    const store = await openStore(bench, { target, limits: short })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    const [row] = await store.orm.em.fork().execute('select inet_client_port() as port')
    const hexOf = (port: unknown): string => Number(port).toString(16).toUpperCase().padStart(4, '0')
    // Both ends and "established": the same port of ours may stand there for another server, or for a connection that has ended.
    const connection = `0100007F:${hexOf(row?.port)} 0100007F:${hexOf(server.port)} 01 `
    await until(() => {
      const line = readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .find((one) => one.includes(connection))
      const [, timer, hundredths] = / (\d\d):([0-9A-F]{8}) /.exec(line?.split(connection)[1] ?? '') ?? []
      return timer === '02' && Number.parseInt(hundredths ?? '', 16) <= 3_100
    })
  })

  test('a pool of two is whole after each of its connections was ended by the server', async (t) => {
    const room = await openRoom(t)
    for (let round = 0; round < 3; round += 1) {
      // The end of an idle connection may be read only when it is used: then that one answer is lost.
      await until(() => assertWhole(room).then(() => true), { withinMs: 3_000, what: 'the pool to be whole' })
      const others = `datname = '${room.database}' and pid <> pg_backend_pid()`
      await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`, room.database)
    }
    await until(() => assertWhole(room).then(() => true), { withinMs: 3_000, what: 'the pool to be whole' })
  })

  test('a hundred answers are late or lost, and no connection stays at the server', async (t) => {
    const room = await openRoom(t)
    for (let round = 0; round < 25; round += 1) {
      room.proxy.dropAll()
      await Promise.allSettled([1, 2, 3, 4].map((at) => insert(room.store, `r-${round}-${at}`)))
    }
    await assertWhole(room)
    await room.store.engine.close(room.store.orm, 500)
    const left = `select count(*)::int as n from pg_stat_activity where datname = '${room.database}' and pid <> pg_backend_pid()`
    await until(async () => (await server.query(left, room.database))[0]?.n === 0, { what: 'the server to be left' })
    assert.equal(room.proxy.open, 0)
  })

  test('who waits for a connection of a full pool is freed, and told so', async (t) => {
    const room = await openRoom(t)
    const free = Promise.withResolvers<void>()
    const holding = [1, 2].map(() => room.store.orm.em.fork().transactional(() => free.promise))
    const fault = await faultOf(room.store.orm.em.fork().count(Note), 'statement')
    assert.deepEqual([fault.kind, fault.code], ['capacity', 'POOL_EXHAUSTED'])
    const native = await faultOf(room.store.statements().write('delete from conformance_note', []), 'commit')
    assert.deepEqual([native.kind, native.ambiguous], ['capacity', false], 'nothing was sent')
    free.resolve()
    await Promise.all(holding)
    await assertWhole(room)
  })

  test('a native write whose answer is lost is ambiguous, one that was never sent is not', async (t) => {
    const { store, proxy, database } = await openRoom(t)
    const { write, read } = store.statements()
    const text = 'insert into conformance_note values ($1, $1, 0)'
    const muted = proxy.once(/insert/i, 'mute')
    const lost = await faultOf(write(text, ['there']), 'commit')
    await muted
    assert.deepEqual([lost.kind, lost.code, lost.ambiguous], ['lost', 'QUERY_TIMEOUT', true])
    assert.deepEqual(await server.query('select id from conformance_note', database), [{ id: 'there' }])
    const reading = proxy.once(/select/i, 'mute')
    assert.equal((await faultOf(read('select 1', []), 'statement')).ambiguous, false)
    await reading
    await proxy.refuse()
    proxy.dropAll()
    await until(async () => {
      const unsent = await faultOf(write(text, ['never']), 'commit')
      return unsent.code === 'ECONNREFUSED' && !unsent.ambiguous
    })
    await proxy.accept()
    assert.equal((await write(text, ['after'])).changed, 1)
  })

  test('prepared statements that are gone, or whose table has changed, are run all the same', async (t) => {
    const { store, database } = await openRoom(t)
    const { read, write } = store.statements()
    const prepared = () => store.orm.em.fork().execute('select name from pg_prepared_statements')
    await insert(store, 'a')
    const all = 'select * from conformance_note order by id'
    assert.equal((await read(all, [])).length, 1)
    assert.equal((await prepared()).length, 1, 'it is prepared')
    for (const column of ['more', 'still']) {
      await server.query(`alter table conformance_note add column ${column} text`, database)
      assert.equal(Object.keys((await read(all, []))[0] ?? {}).at(-1), column)
    }
    await store.orm.em.fork().execute('deallocate all')
    assert.equal((await read(all, [])).length, 1)
    assert.equal((await write('update conformance_note set count = 1', [])).changed, 1)
    assert.deepEqual(await prepared(), [], 'names do not last here, so none are given any more')
  })

  test('where a pooler is named nothing is prepared', async (t) => {
    const target = targetOf(`${server.url(await server.createDatabase())}?pgbouncer=true`)
    const store = await openStore(bench, { target })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    assert.deepEqual(await store.statements().read('select $1::int as one', [1]), [{ one: 1 }])
    assert.deepEqual(await store.orm.em.fork().execute('select name from pg_prepared_statements'), [])
  })

  test('a COMMIT that the server answers with ROLLBACK is an error', async (t) => {
    const room = await openRoom(t)
    await insert(room.store, 'taken')
    const swallowing = room.store.orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('gone'))
      await em.insert(Note, note('x', 'taken')).catch(() => {})
    })
    assert.equal((await faultOf(swallowing, 'commit')).code, 'COMMIT_ROLLED_BACK')
    await assertWhole(room)
  })

  test('an idle transaction is ended by the server, and its locks go with it', async (t) => {
    const database = await server.createDatabase()
    const store = await openStore(bench, {
      target: targetOf(server.url(database)),
      limits: { ...short, transactionMs: 200 },
    })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    const em = store.orm.em.fork()
    await em.begin()
    await em.insert(Note, note('held'))
    const open = `select count(*)::int as n from pg_stat_activity where datname = '${database}' and state like 'idle in%'`
    await until(async () => (await server.query(open, database))[0]?.n === 0, { what: 'the server to end it' })
    await em.rollback()
    assert.equal(await store.orm.em.fork().count(Note), 0)
  })

  test('a server that is stopped frees its callers within the limit, and serves on when it goes on', async (t) => {
    const room = await openRoom(t)
    server.pause()
    try {
      const began = performance.now()
      const fault = await faultOf(room.store.orm.em.fork().execute('select 1'), 'statement')
      assert.equal(fault.code, 'QUERY_TIMEOUT')
      assert.ok(performance.now() - began < short.queryMs + 500)
      const opening = await openingFault(server.url(room.database), 300)
      assert.deepEqual([opening.kind, opening.ambiguous], ['unreachable', false])
    } finally {
      server.resume()
    }
    await assertWhole(room)
  })

  test('each way in which an opening fails has its kind', async (t) => {
    const url = server.url()
    const proxy = await startProxy(t, server)
    const cases: readonly (readonly [string, string, string])[] = [
      [url.replace(/:[^:@]*@/, ':wrong@'), 'auth', '28P01'],
      [url.replace('holdfast:', 'nobody:'), 'auth', '28P01'],
      [url.replace(/:[^:@]*@/, '@'), 'auth', 'PASSWORD_MISSING'],
      [server.url('missing_database'), 'configuration', '3D000'],
      [`${url}?sslmode=require`, 'tls', 'TLS_REFUSED'],
      [`${url}?sslmode=verify-full`, 'tls', 'TLS_REFUSED'],
      [`${url}?sslmode=require&sslrootcert=/nowhere/ca.pem`, 'tls', 'TLS_FILE_UNREADABLE'],
      [`${url}?channel_binding=require`, 'tls', 'CHANNEL_BINDING'],
      [server.url('postgres', 1), 'unreachable', 'ECONNREFUSED'],
      [`postgres://u:p@nowhere.invalid/db`, 'unreachable', ''],
      [`postgres://u:p@%2Fnowhere/db`, 'unreachable', 'ENOENT'],
    ]
    for (const [text, kind, code] of cases) {
      const fault = await openingFault(text)
      assert.equal(fault.kind, kind, `${text} gave ${fault.code}`)
      if (code !== '') assert.equal(fault.code, code, text)
    }
    proxy.behave('swallow')
    assert.equal((await openingFault(server.url('postgres', proxy.port), 300)).kind, 'unreachable')
    proxy.behave('cut')
    assert.equal((await openingFault(server.url('postgres', proxy.port), 300)).kind, 'unreachable')
  })

  test('several hosts are tried in the order in which they stand', async () => {
    const target = targetOf(server.url().replace('127.0.0.1', `127.0.0.1:1,127.0.0.1`))
    const candidates = await driver.connect(target, short)
    assert.equal(candidates.length, 2)
    const [first, second] = candidates
    assert.ok(first && second)
    assert.equal((await faultOf(first.open(AbortSignal.timeout(2_000)), 'open')).code, 'ECONNREFUSED')
    const connection = await second.open(AbortSignal.timeout(2_000))
    const facts = await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(2_000))
    assert.match(facts.version, /^\d+/)
    await connection.close()
  })

  test('a Unix socket serves, by both of its spellings', async () => {
    const { user, password } = { user: 'holdfast', password: encodeURIComponent('pa ss/w@rd#1') }
    const folder = encodeURIComponent(server.socketDir)
    for (const text of [
      `postgres://${user}:${password}@${folder}:${server.port}/postgres`,
      `postgres:///postgres?host=${folder}&port=${server.port}&user=${user}&password=${password}`,
    ]) {
      const [candidate] = await driver.connect(targetOf(text), short)
      const connection = await candidate?.open(AbortSignal.timeout(2_000))
      await connection?.close()
    }
  })

  test('a read-only server is no primary', async () => {
    const database = await server.createDatabase()
    await server.query(`alter database ${database} set default_transaction_read_only = on`)
    const fault = await openingFault(server.url(database))
    assert.deepEqual([fault.kind, fault.code, fault.everywhere], ['read-only', 'DEFAULT_READ_ONLY', true])
  })

  test("the native pool is pg's own, next to ours, and ends with ours", async (t) => {
    const { store, database } = await openRoom(t)
    const native = (await store.orm.driver.getConnection().getNativeClient()) as Pool
    assert.deepEqual((await native.query('select $1::int as one', [1])).rows, [{ one: 1 }])
    const client = await native.connect()
    await client.query('begin')
    const left = `select count(*)::int as n from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`
    await store[Symbol.asyncDispose]()
    await until(async () => (await server.query(left))[0]?.n === 0, { what: 'the server to be left' })
    await assert.rejects(native.connect())
  })

  test('a proof leaves our tables, one identity and no attempt', async () => {
    const database = await server.createDatabase()
    // They wait for each other.
    const patient = { ...short, connectMs: 20_000, queryMs: 20_000 }
    const [candidate] = await driver.connect(targetOf(server.url(database)), patient)
    assert.ok(candidate)
    const proofs = Array.from({ length: 6 }, async () => {
      const connection = await candidate.open(AbortSignal.timeout(20_000))
      await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(20_000))
      await connection.close()
    })
    await Promise.all(proofs)
    const seen = await server.query(
      'select (select count(*)::int from holdfast_identity) as ids, (select count(*)::int from holdfast_attempt) as attempts',
      database,
    )
    assert.deepEqual(seen, [{ ids: 1, attempts: 0 }])
  })

  test('a role that may make no tables serves, with the SQL and the grants in a problem', async () => {
    const database = await server.createDatabase()
    await server.query(`create role plain_${database} login password 'plain'`)
    const text = server.url(database).replace(/\/\/[^@]*@/, `//plain_${database}:plain@`)
    const [candidate] = await driver.connect(targetOf(text), short)
    const connection = await candidate?.open(AbortSignal.timeout(2_000))
    assert.ok(connection)
    const facts = await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(2_000))
    await connection.close()
    const [problem] = facts.problems
    assert.equal(problem?.code, 'OWN_TABLES_MISSING')
    assert.match(problem.suggestion, /create table if not exists holdfast_attempt.*grant select, insert, delete/)
    await server.query(problem.suggestion.replace(/^[^:]*: /, ''), database)
    const again = await candidate?.open(AbortSignal.timeout(2_000))
    assert.ok(again)
    const then = await again.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(2_000))
    await again.close()
    assert.deepEqual(then.problems, [])
  })
})
