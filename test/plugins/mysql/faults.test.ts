import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { CompiledQuery } from 'kysely'
import type { Pool } from 'mysql2'
import driver from '../../../plugins/mysql/mysql.ts'
import {
  type Bench,
  type BenchStore,
  createBench,
  limits,
  Note,
  note,
  openStore,
  urlAddress,
} from '../../../src/conformance/bench.ts'
import type { Connection, Facts } from '../../../src/driver/driver.ts'
import type { Fault, Phase } from '../../../src/driver/fault.ts'
import { type Mariadb, mariadbUser, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanLater, cleanupOf } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'

/** A pool of two, and little patience. */
const short = { ...limits, connectMs: 2_000, queryMs: 400, poolSize: 2, poolMaxOverflow: 0 }

/** InnoDB's view of its transactions is made anew only when nobody has looked for 100 ms. */
const slowly = { everyMs: 150 }

interface Room {
  readonly store: BenchStore
  readonly proxy: TcpProxy
  readonly database: string
}

describe('faults of a real MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  let bench: Bench
  before(async () => {
    server = await startMariadb(cleanup, { settings: ['--max-allowed-packet=1M'] })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  /** A store with a pool of two, behind a proxy. */
  async function openRoom(t: TestContext): Promise<Room> {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const store = await openStore(bench, { target: targetOf(server.url(database, proxy.port)), limits: short })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    return { store, proxy, database }
  }

  function targetOf(text: string) {
    const { target, problems } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target, problems[0]?.message)
    return target
  }

  /** Opens the first place of an address and proves it. */
  async function prove(text: string, withinMs = 3_000): Promise<Facts> {
    const [candidate] = await driver.connect(targetOf(text), short)
    assert.ok(candidate)
    const connection: Connection = await candidate.open(AbortSignal.timeout(withinMs))
    try {
      return await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(withinMs))
    } finally {
      connection.evict()
    }
  }

  const openingFault = (text: string, withinMs?: number): Promise<Fault> => faultOf(prove(text, withinMs), 'open')

  /** Both slots at once run a query, twice: a leaked one would leave the second waiting. */
  async function assertWhole({ store, proxy, database }: Room): Promise<void> {
    proxy.behave('pass')
    for (let round = 0; round < 2; round += 1) {
      const rows = await within(
        Promise.all([1, 2].map(() => store.orm.em.fork().execute('select 1 as one, sleep(0.05) as slept'))),
        2_000,
        'a query on every slot',
      )
      assert.deepEqual(
        rows.flat().map(({ one }) => one),
        [1, 1],
      )
    }
    assert.ok((await sessionsOf(database)) <= 2)
  }

  /** Connections that the server has to this database, but the one that asks. */
  async function sessionsOf(database: string): Promise<number> {
    const [row] = await server.query(
      `select count(*) as n from information_schema.processlist where db = '${database}' and id <> connection_id()`,
    )
    return Number(row?.n)
  }

  async function killSessions(database: string): Promise<void> {
    const rows = await server.query(`select id from information_schema.processlist where db = '${database}'`)
    for (const { id } of rows) await server.query(`kill ${Number(id)}`).catch(() => {})
  }

  const insert = (store: BenchStore, id: string) => store.orm.em.fork().transactional((em) => em.insert(Note, note(id)))

  for (const how of ['cut', 'reset'] as const) {
    for (const [where, pattern] of [
      ['at BEGIN', /begin/i],
      ['inside', /insert/i],
      ['at COMMIT', /(?<!auto)commit/i],
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
        assert.deepEqual(await server.query('select count(*) as n from conformance_note', room.database), [{ n: 0 }])
      })
    }
  }

  test('a pool of two is whole after statements that took too long, inside transactions and outside', async (t) => {
    const room = await openRoom(t)
    const { orm } = room.store
    for (let round = 0; round < 3; round += 1) {
      const inside = orm.em.fork().transactional((em) => em.execute('select sleep(2)'))
      const fault = await faultOf(inside, 'statement')
      assert.deepEqual([fault.kind, fault.code, fault.ambiguous], ['lost', 'QUERY_TIMEOUT', false])
    }
    for (let round = 0; round < 2; round += 1) {
      assert.equal((await faultOf(orm.em.fork().execute('select sleep(2)'), 'statement')).code, 'QUERY_TIMEOUT')
    }
    // MariaDB looks every five seconds whether the client of a statement that sleeps is there.
    const limit = { what: 'the server to notice who has left', withinMs: 12_000 }
    await until(() => assertWhole(room).then(() => true), limit)
  })

  test('what took too long is ended at the server soon after, alone and in a transaction; a long stream is not', async (t) => {
    const { store, database } = await openRoom(t)
    const endless = "select benchmark(2000000000, md5('x')) as done"
    const where = `db = '${database}' and info like '%benchmark%' and id <> connection_id()`
    const left = `select count(*) as n from information_schema.processlist where ${where}`
    const alone = faultOf(store.orm.em.fork().execute(endless), 'statement')
    const inside = faultOf(
      store.orm.em.fork().transactional((em) => em.execute(endless)),
      'statement',
    )
    for (const fault of await Promise.all([alone, inside])) assert.equal(fault.code, 'QUERY_TIMEOUT')
    const isLeft = async () => Number((await server.query(left))[0]?.n) === 0
    await until(isLeft, { withinMs: 5_000, what: 'the server to end them' })
    // Longer than that, row by row, each of which fills a packet.
    const rows = Array.from({ length: 12 }, (_, at) => `select ${at} as at`).join(' union all ')
    const text = `select at, sleep(0.25) as slept, repeat('x', 40000) as filling from (${rows}) as rows_of_it`
    const slow = CompiledQuery.raw(text)
    const streaming = performance.now()
    let seen = 0
    for await (const _ of store.orm.em.fork().getKysely().getExecutor().stream(slow, 1)) seen += 1
    assert.equal(seen, 12)
    assert.ok(performance.now() - streaming > 2_000, 'it took longer than the server lets a statement run')
  })

  test('a pool of two is whole after each of its connections was killed by the server', async (t) => {
    const room = await openRoom(t)
    for (let round = 0; round < 3; round += 1) {
      // The end of an idle connection may be read only when it is used: then that one answer is lost.
      await until(() => assertWhole(room).then(() => true), { withinMs: 3_000, what: 'the pool to be whole' })
      await killSessions(room.database)
    }
    await until(() => assertWhole(room).then(() => true), { withinMs: 3_000, what: 'the pool to be whole' })
  })

  test('a statement whose connection is killed is lost, and only a COMMIT of its own is ambiguous', async (t) => {
    const { store, database } = await openRoom(t)
    for (const [text, phase] of [
      ['select sleep(5)', 'statement'],
      ['insert into conformance_note select uuid(), uuid(), sleep(5)', 'commit'],
    ] as const) {
      const running = faultOf(store.orm.em.fork().execute(text), phase)
      const isSeen = async () => (await sleepers(database)) === 1
      await until(isSeen, { everyMs: 5, what: 'the statement to run' })
      await killSessions(database)
      const fault = await running
      assert.deepEqual([fault.kind, fault.ambiguous], ['lost', phase === 'commit'], fault.code)
    }
  })

  async function sleepers(database: string): Promise<number> {
    const where = `db = '${database}' and info like '%sleep(5)%' and id <> connection_id()`
    const [row] = await server.query(`select count(*) as n from information_schema.processlist where ${where}`)
    return Number(row?.n)
  }

  test('idle connections that the server closes end nothing, and are replaced', async (t) => {
    const room = await openRoom(t)
    await assertWhole(room)
    await room.store.orm.em.fork().execute('set session wait_timeout = 1')
    await until(async () => (await sessionsOf(room.database)) < 2, { what: 'the server to close one' })
    await assertWhole(room)
  })

  test('a hundred answers are late or lost, and no connection stays at the server', async (t) => {
    const room = await openRoom(t)
    for (let round = 0; round < 25; round += 1) {
      room.proxy.dropAll()
      await Promise.allSettled([1, 2, 3, 4].map((at) => insert(room.store, `r-${round}-${at}`)))
    }
    await assertWhole(room)
    await room.store.engine.close(room.store.orm, 500)
    await until(async () => (await sessionsOf(room.database)) === 0, { what: 'the server to be left' })
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
    const text = 'insert into conformance_note values (?, ?, 0)'
    // Prepared by then: only its number and its values are sent.
    assert.equal((await write(text, ['first', 'first'])).changed, 1)
    const muted = proxy.once(/there-it-is/, 'mute')
    const lost = await faultOf(write(text, ['there-it-is', 'b']), 'commit')
    await muted
    assert.deepEqual([lost.kind, lost.code, lost.ambiguous], ['lost', 'QUERY_TIMEOUT', true])
    const ids = async () =>
      (await server.query('select id from conformance_note order by id', database)).map(({ id }) => id)
    assert.deepEqual(await ids(), ['first', 'there-it-is'])
    const reading = proxy.once(/select/i, 'mute')
    assert.equal((await faultOf(read('select 1', []), 'statement')).ambiguous, false)
    await reading
    await proxy.refuse()
    proxy.dropAll()
    await until(async () => {
      const unsent = await faultOf(write(text, ['never', 'never']), 'commit')
      return unsent.code === 'ECONNREFUSED' && !unsent.ambiguous
    })
    await proxy.accept()
    assert.equal((await write(text, ['after', 'after'])).changed, 1)
  })

  test('prepared statements whose table has changed are run all the same, and more texts than are kept', async (t) => {
    const { store, database } = await openRoom(t)
    const { read, write } = store.statements()
    await insert(store, 'a')
    const all = 'select * from conformance_note order by id'
    assert.equal((await read(all, [])).length, 1)
    for (const column of ['more', 'still']) {
      await server.query(`alter table conformance_note add column ${column} text`, database)
      assert.equal(Object.keys((await read(all, []))[0] ?? {}).at(-1), column)
    }
    for (let at = 0; at < 600; at += 1) assert.deepEqual(await read(`select ? + ${at} as sum`, [1]), [{ sum: at + 1 }])
    const [prepared] = await server.query("show global status like 'Prepared_stmt_count'")
    assert.ok(Number(prepared?.Value) <= 600, `${prepared?.Value}`)
    await server.query('set global max_prepared_stmt_count = 0')
    try {
      assert.deepEqual(await read('select ? as unprepared', ["it's"]), [{ unprepared: "it's" }])
      assert.equal((await write('update conformance_note set count = count + ?', [2])).changed, 1)
    } finally {
      await server.query('set global max_prepared_stmt_count = 16382')
    }
  })

  test('values of each kind go and come the same, prepared or not', async (t) => {
    const { store } = await openRoom(t)
    const { read, write } = store.statements()
    const columns =
      'id int, big bigint, exact decimal(30,10), at datetime(3), bytes blob, flag tinyint(1), text text, real_ double'
    await store.orm.em.fork().execute(`create table kinds (${columns})`)
    const at = new Date('2026-11-29T23:59:59.987Z')
    const beyond = 9_007_199_254_740_993n
    const bytes = new Uint8Array([0, 255, 39, 92])
    const row = [1, beyond, '12345678901234567890.0123456789', at, bytes, true, 'a\\\'b"\u{1f600}', 0.1 + 0.2]
    const marks = row.map(() => '?').join(', ')
    await write(`insert into kinds values (${marks})`, row)
    await store.orm.em
      .fork()
      .execute(`insert into kinds values (${marks})`, [
        2,
        String(beyond),
        ...row.slice(2, 4),
        Buffer.from(bytes),
        ...row.slice(5),
      ])
    const found = await read('select * from kinds order by id', [])
    for (const one of [found, await store.orm.em.fork().execute('select * from kinds order by id')]) {
      for (const { id: _id, bytes: seen, ...rest } of one as Record<string, unknown>[]) {
        assert.deepEqual([...(seen as Buffer)], [...bytes])
        assert.deepEqual(rest, {
          big: String(beyond),
          exact: '12345678901234567890.0123456789',
          at: '2026-11-29 23:59:59.987',
          flag: 1,
          text: 'a\\\'b"\u{1f600}',
          real_: 0.1 + 0.2,
        })
      }
    }
    assert.deepEqual(await read('select count(*) as n from kinds where big = ?', [beyond]), [{ n: 2 }])
    assert.deepEqual(await read('select count(*) as n from kinds where at = ? limit ?', [at, 1]), [{ n: 2 }])
    const cut = await faultOf(write('update kinds set id = ?', ['no number']), 'commit')
    assert.deepEqual([cut.kind, cut.code], ['constraint', '1366'], 'nothing is made up in silence')
    const [zone] = await read('select @@session.time_zone as zone, @@session.sql_mode as mode', [])
    assert.equal(zone?.zone, '+00:00')
    assert.doesNotMatch(String(zone?.mode), /NO_BACKSLASH_ESCAPES|ANSI_QUOTES/)
  })

  test('a statement that is larger than the server takes is refused before it is sent', async (t) => {
    const room = await openRoom(t)
    const { write } = room.store.statements()
    const text = 'x'.repeat(2 ** 20)
    const native = await faultOf(write('insert into conformance_note values (?, ?, 0)', ['a', text]), 'commit')
    assert.deepEqual([native.kind, native.code, native.ambiguous], ['statement', 'PACKET_TOO_LARGE', false])
    const written = await faultOf(room.store.orm.em.fork().execute(`select '${text}'`), 'statement')
    assert.equal(written.code, 'PACKET_TOO_LARGE')
    await assertWhole(room)
  })

  test('after a deadlock nothing of the transaction is committed by itself, though its error was swallowed', async (t) => {
    const room = await openRoom(t)
    const { orm } = room.store
    for (const id of ['a', 'b']) await insert(room.store, id)
    const both = Promise.withResolvers<void>()
    let arrived = 0
    const work = (first: string, second: string) =>
      orm.em.fork().transactional(async (em) => {
        await em.execute('update conformance_note set count = count + 1 where id = ?', [first])
        arrived += 1
        if (arrived === 2) both.resolve()
        await both.promise
        const failed = await em.execute('update conformance_note set count = count + 1 where id = ?', [second]).then(
          () => null,
          (error: unknown) => driver.classify(error, 'statement'),
        )
        if (failed === null) return 'whole'
        assert.deepEqual([failed.kind, failed.code], ['transient', '1213'])
        const next = await faultOf(em.insert(Note, note('stray')), 'statement')
        assert.equal(next.code, 'TRANSACTION_ROLLED_BACK')
        return 'swallowed'
      })
    const outcomes = await Promise.allSettled([work('a', 'b'), work('b', 'a')])
    const codes = outcomes.map((one) =>
      one.status === 'fulfilled' ? one.value : driver.classify(one.reason, 'commit').code,
    )
    assert.deepEqual(codes.toSorted(), ['COMMIT_ROLLED_BACK', 'whole'])
    const rows = await server.query('select id, count from conformance_note order by id', room.database)
    assert.deepEqual(rows, [
      { id: 'a', count: 1 },
      { id: 'b', count: 1 },
    ])
    await assertWhole(room)
  })

  test('a transaction that was begun past the pool does not go back into it', async (t) => {
    const room = await openRoom(t)
    const em = room.store.orm.em.fork()
    for (const text of ['begin', 'set autocommit = 0']) {
      await em.execute(text)
      await room.store.statements().write('insert into conformance_note values (?, ?, 0)', [text, text])
      assert.deepEqual(
        await server.query(`select count(*) as n from conformance_note where id = '${text}'`, room.database),
        [{ n: 1 }],
      )
    }
    await assertWhole(room)
  })

  test('a native statement beside a stream of its own transaction has its turn, or is told why it has none', async (t) => {
    const room = await openRoom(t)
    const { read } = room.store.statements()
    // More than a portion of the stream.
    const many = Array.from({ length: 500 }, (_, at) => note(`n-${at}`))
    await room.store.orm.em.fork().insertMany(Note, many)
    await room.store.orm.em.fork().transactional(async (em) => {
      const all = (async () => {
        let seen = 0
        for await (const row of em.stream(Note)) seen += row.id === '' ? 0 : 1
        return seen
      })()
      const counted = read('select count(*) as n from conformance_note', [])
      assert.deepEqual(await Promise.all([counted, all]), [[{ n: 500 }], 500])
    })
    const broken = room.store.orm.em.fork().transactional(async (em) => {
      for await (const row of em.stream(Note)) {
        assert.ok(row.id)
        assert.equal((await faultOf(read('select 1', []), 'statement')).code, 'STREAM_OPEN')
        break
      }
      // Who leaves a stream early leaves the connection: the server would have to send all the rest first.
      await em.insert(Note, note('never'))
    })
    assert.match((await faultOf(broken, 'statement')).kind, /^lost$/)
    await assertWhole(room)
    assert.equal(await room.store.orm.em.fork().count(Note), 500)
  })

  test('an idle transaction is ended by the server, and its locks go with it', async (t) => {
    const database = await server.createDatabase()
    const target = targetOf(server.url(database))
    const store = await openStore(bench, { target, limits: { ...short, transactionMs: 1_000 } })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    const em = store.orm.em.fork()
    await em.begin()
    await em.insert(Note, note('held'))
    const open = 'select count(*) as n from information_schema.innodb_trx'
    await until(async () => (await server.query(open))[0]?.n === 0, { ...slowly, what: 'the server to end it' })
    await em.rollback()
    assert.equal(await store.orm.em.fork().count(Note), 0)
  })

  test('a lock that somebody else has is waited for within the limit, and not for long by whom nobody waits for', async (t) => {
    const { store, database } = await openRoom(t)
    await insert(store, 'a')
    const [held, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const holder = store.orm.em.fork().transactional(async (em) => {
      await em.execute("update conformance_note set count = 1 where id = 'a'")
      held.resolve()
      await free.promise
    })
    await held.promise
    const { write } = store.statements()
    const late = await faultOf(write("update conformance_note set count = 2 where id = 'a'", []), 'commit')
    assert.deepEqual([late.kind, late.code, late.ambiguous], ['lost', 'QUERY_TIMEOUT', true])
    const waiting = 'select count(*) as n from information_schema.innodb_trx where trx_state = "LOCK WAIT"'
    const isOver = async () => Number((await server.query(waiting))[0]?.n) === 0
    await until(isOver, { ...slowly, withinMs: 8_000, what: 'the zombie to leave the line' })
    free.resolve()
    await holder
    assert.deepEqual(await server.query('select count from conformance_note', database), [{ count: 1 }])
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
      const fresh = await faultOf(room.store.orm.em.fork().execute('select 1'), 'statement')
      assert.match(fresh.kind, /^(?:lost|unreachable)$/, 'a pool that cannot grow is not a pool that is full')
    } finally {
      server.resume()
    }
    await until(() => assertWhole(room).then(() => true), { what: 'the server to notice who has left' })
  })

  test('each way in which an opening fails has its kind', async (t) => {
    const url = server.url()
    const proxy = await startProxy(t, server)
    const cases: readonly (readonly [string, string, string])[] = [
      [url.replace(/:[^:@/]*@/, ':wrong@'), 'auth', '1045'],
      [url.replace('holdfast:', 'nobody:'), 'auth', '1045'],
      [url.replace(/:[^:@/]*@/, '@'), 'auth', '1045'],
      [server.url('missing_database'), 'configuration', '1049'],
      [`${url}?ssl-mode=REQUIRED`, 'tls', 'HANDSHAKE_NO_SSL_SUPPORT'],
      [`${url}?ssl-mode=VERIFY_IDENTITY`, 'tls', 'HANDSHAKE_NO_SSL_SUPPORT'],
      [`${url}?ssl-mode=REQUIRED&ssl-ca=/nowhere/ca.pem`, 'tls', 'TLS_FILE_UNREADABLE'],
      [server.url('test_home', 1), 'unreachable', 'ECONNREFUSED'],
      [`mysql://u:p@nowhere.invalid/db`, 'unreachable', ''],
      [`mysql://u:p@%2Fnowhere%2Fmysqld.sock/db`, 'unreachable', 'ENOENT'],
    ]
    for (const [text, kind, code] of cases) {
      const fault = await openingFault(text)
      assert.equal(fault.kind, kind, `${text} gave ${fault.code}`)
      assert.equal(fault.ambiguous, false)
      if (code !== '') assert.equal(fault.code, code, text)
    }
    await server.query(`create user if not exists lonely identified by 'lonely'`)
    assert.equal((await openingFault(url.replace(/\/\/[^@]*@/, '//lonely:lonely@'))).code, '1044')
    proxy.behave('swallow')
    assert.equal((await openingFault(server.url('test_home', proxy.port), 300)).kind, 'unreachable')
    proxy.behave('cut')
    assert.equal((await openingFault(server.url('test_home', proxy.port), 300)).kind, 'unreachable')
  })

  test('a server without room for one more says so, and the pool grows again when there is', async (t) => {
    const room = await openRoom(t)
    await server.query('set global max_connections = 10')
    // The server keeps one place beside for its administrator, who is whoever may do everything: an ordinary user is not.
    const user = `many_${room.database.slice(2, 12)}`
    await server.query(`create user ${user} identified by 'many' with max_user_connections 1`)
    await server.query(`grant all on ${room.database}.* to ${user}`)
    const text = server.url(room.database).replace(/\/\/[^@]*@/, `//${user}:many@`)
    const taken: Connection[] = []
    try {
      const [candidate] = await driver.connect(targetOf(text), short)
      assert.ok(candidate)
      taken.push(await candidate.open(AbortSignal.timeout(2_000)))
      const own = await openingFault(text)
      assert.deepEqual([own.kind, own.code], ['capacity', '1226'])
      const [all] = await driver.connect(targetOf(server.url(room.database)), short)
      const fault = await faultOf(
        (async () => {
          for (let at = 0; at < 12; at += 1) taken.push((await all?.open(AbortSignal.timeout(2_000))) as Connection)
        })(),
        'open',
      )
      assert.deepEqual([fault.kind, fault.code], ['capacity', '1040'])
    } finally {
      await Promise.all(taken.map((connection) => connection.close()))
      await until(() => server.query('set global max_connections = 40').then(() => true))
    }
    await assertWhole(room)
  })

  test('several hosts are tried in the order in which they stand', async () => {
    const target = targetOf(server.url().replace('127.0.0.1', `127.0.0.1:1,127.0.0.1`))
    const candidates = await driver.connect(target, short)
    const [first, second] = candidates
    assert.ok(first && second && candidates.length === 2)
    assert.equal((await faultOf(first.open(AbortSignal.timeout(2_000)), 'open')).code, 'ECONNREFUSED')
    const connection = await second.open(AbortSignal.timeout(2_000))
    const facts = await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(2_000))
    assert.match(facts.version, /MariaDB/)
    await connection.close()
  })

  test('a Unix socket serves, by each of its spellings', async () => {
    const secret = encodeURIComponent(mariadbUser.password)
    const place = encodeURIComponent(server.socket)
    for (const text of [
      `mysql://holdfast:${secret}@${place}/test_home`,
      `mysql://holdfast:${secret}@localhost/test_home?unix_socket=${place}`,
      `mysql://holdfast:${secret}@localhost:1/test_home?socket=${server.socket}`,
    ]) {
      assert.equal((await prove(text)).ownTables, 'ours')
    }
  })

  test('a read-only server is no primary, not even for its administrator', async (t) => {
    const { store } = await openRoom(t)
    await server.query('set global read_only = on')
    try {
      const fault = await openingFault(server.url())
      assert.deepEqual([fault.kind, fault.code], ['read-only', '1290'])
    } finally {
      await server.query('set global read_only = off')
    }
    const inside = store.orm.em.fork().transactional((em) => em.insert(Note, note('x')), { readOnly: true })
    const refused = await faultOf(inside, 'statement')
    assert.deepEqual([refused.kind, refused.code], ['read-only', '1792'])
  })

  test('a read-only server refuses an ordinary user with the fault that leads away', async (t) => {
    const { store, database } = await openRoom(t)
    const user = `writer_${database.slice(2, 12)}`
    await server.query(`create user ${user} identified by 'writer'`)
    await server.query(`grant select, insert, create, delete, update on ${database}.* to ${user}`)
    const target = targetOf(server.url(database).replace(/\/\/[^@]*@/, `//${user}:writer@`))
    const plain = await openStore(bench, { target, made: true, limits: short })
    cleanLater(t, async () => plain[Symbol.asyncDispose]())
    await insert(store, 'seen')
    await server.query('set global read_only = on')
    try {
      const fault = await faultOf(insert(plain, 'x'), 'statement')
      assert.deepEqual([fault.kind, fault.code], ['read-only', '1290'])
      assert.equal(await plain.orm.em.fork().count(Note), 1, 'reads go on')
    } finally {
      await server.query('set global read_only = off')
    }
    await insert(plain, 'again')
  })

  test("the native pool is mysql2's own, and ends with ours", async (t) => {
    const { store, database } = await openRoom(t)
    const connection = store.orm.driver.getConnection() as unknown as { getNativeClient(): Promise<Pool> }
    const native = (await connection.getNativeClient()).promise()
    const [rows] = await native.query('select ? as one, @@session.character_set_client as letters', [1])
    assert.deepEqual(rows, [{ one: 1, letters: 'utf8mb4' }])
    await store.engine.close(store.orm, 500)
    await until(async () => (await sessionsOf(database)) === 0, { what: 'the server to be left' })
  })

  test('a proof leaves our tables, one identity and no attempt', async () => {
    const database = await server.createDatabase()
    // They wait for each other.
    const patient = { ...short, connectMs: 20_000, queryMs: 20_000 }
    const [candidate] = await driver.connect(targetOf(server.url(database)), patient)
    assert.ok(candidate)
    const proofs = Array.from({ length: 6 }, async () => {
      const connection = await candidate.open(AbortSignal.timeout(20_000))
      const facts = await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(20_000))
      assert.deepEqual([facts.ownTables, facts.problems], ['ours', []])
      await connection.close()
    })
    await Promise.all(proofs)
    const counts =
      '(select count(*) from holdfast_identity) as ids, (select count(*) from holdfast_attempt) as attempts'
    assert.deepEqual(await server.query(`select ${counts}`, database), [{ ids: 1, attempts: 0 }])
    await server.query('update holdfast_identity set format = 3', database)
    const newer = await prove(server.url(database))
    assert.deepEqual([newer.ownTables, newer.problems[0]?.code], ['newer', 'FORMAT_NEWER'])
  })

  test('a user that may make no tables serves, with the SQL and the grants in a problem', async () => {
    const database = await server.createDatabase()
    const user = `plain_${database.slice(2, 12)}`
    await server.query(`create user ${user}@'127.0.0.1' identified by 'plain'`)
    await server.query(`create table theirs (id int)`, database)
    await server.query(`grant select, insert, update, delete on ${database}.theirs to ${user}@'127.0.0.1'`)
    const text = server.url(database).replace(/\/\/[^@]*@/, `//${user}:plain@`)
    const { ownTables, problems } = await prove(text)
    const [problem] = problems
    assert.deepEqual([ownTables, problem?.code], ['absent', 'OWN_TABLES_MISSING'])
    assert.match(
      problem?.suggestion ?? '',
      /create table if not exists .*holdfast_attempt.*grant select, insert, delete/,
    )
    for (const sql of problem?.suggestion.replace(/^[^:]*: /, '').split('; ') ?? []) await server.query(sql)
    const then = await prove(text)
    assert.deepEqual([then.ownTables, then.problems], ['ours', []])
  })

  test('where nothing may be made nothing is made, and the problem says what is missing', async () => {
    const database = await server.createDatabase()
    const settings = { ...bench.settings, database: { ...bench.settings.database, schemaApply: 'none' as const } }
    const { target } = driver.parse(urlAddress(bench, server.url(database)), settings)
    assert.ok(target)
    const [candidate] = await driver.connect(target, short)
    const connection = await candidate?.open(AbortSignal.timeout(2_000))
    assert.ok(connection)
    const facts = await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(2_000))
    await connection.close()
    assert.deepEqual([facts.ownTables, facts.problems[0]?.code], ['absent', 'OWN_TABLES_MISSING'])
    assert.deepEqual(await server.query('show tables', database), [])
  })

  test('a process that holds the schema lock and dies frees it', async (t) => {
    const room = await openRoom(t)
    const lockOf = ({ engine, orm }: BenchStore) => engine.schemaLock?.(orm)
    const held = Promise.withResolvers<void>()
    const never = Promise.withResolvers<void>()
    const first = lockOf(room.store)?.hold(AbortSignal.timeout(10_000), async () => {
      held.resolve()
      await never.promise
    })
    await held.promise
    // What the server sees of a death: all connections are gone.
    room.proxy.dropAll()
    const other = await openStore(bench, { target: targetOf(server.url(room.database)), made: true, limits: short })
    cleanLater(t, async () => other[Symbol.asyncDispose]())
    assert.equal(await lockOf(other)?.hold(AbortSignal.timeout(3_000), async () => 'had'), 'had')
    never.resolve()
    assert.ok(first)
    await faultOf(first, 'statement')
  })
})

describe('what errors mean', () => {
  const error = (errno: number, message = '', extra: object = {}) =>
    Object.assign(new Error(message), { errno, code: `ER_${errno}`, sqlState: 'HY000', ...extra })

  test('each number of the server has its kind', () => {
    const kinds: Readonly<Record<string, readonly number[]>> = {
      auth: [1044, 1045, 1130, 1698, 1820],
      configuration: [1049],
      capacity: [1040, 1041, 1203, 1226],
      unreachable: [1042, 1043, 1129],
      lost: [1053, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 4031],
      transient: [1020, 1180, 1205, 1213, 1317, 1969, 3024],
      'read-only': [1207, 1792, 1836],
      'disk-full': [1021, 1114],
      corrupt: [1034, 1194, 1195],
      tls: [3159],
      constraint: [1048, 1062, 1264, 1292, 1364, 1366, 1406, 1451, 1452, 1644, 3819, 4025],
      statement: [1054, 1064, 1142, 1143, 1146, 1148, 1153, 1290, 1305],
    }
    for (const [kind, numbers] of Object.entries(kinds)) {
      for (const number of numbers) {
        const fault = driver.classify(error(number), 'statement')
        assert.deepEqual([fault.kind, fault.code, fault.ambiguous], [kind, String(number), false])
      }
    }
  })

  test('one number means several things, told apart by its words', () => {
    const readOnly = 'The MariaDB server is running with the --read-only option so it cannot execute this statement'
    assert.equal(driver.classify(error(1290, readOnly), 'statement').kind, 'read-only')
    assert.equal(driver.classify(error(1047, 'WSREP has not yet prepared node'), 'statement').kind, 'unreachable')
    assert.equal(driver.classify(error(1030, 'Got error 28 "No space left on device"'), 'statement').kind, 'disk-full')
    assert.equal(driver.classify(error(1030, 'Got error 5 "Input/output error"'), 'statement').kind, 'unwritable')
    assert.equal(driver.classify(error(3, 'Error writing file (Errcode: 28)'), 'statement').kind, 'disk-full')
  })

  test('only what may have come after a commit is ambiguous, and only in that phase', () => {
    for (const number of [1053, 1152, 1158, 1159, 1160, 1161, 1180, 1927, 2013, 4031]) {
      assert.equal(driver.classify(error(number), 'commit').ambiguous, true, `${number}`)
      assert.equal(driver.classify(error(number), 'statement').ambiguous, false, `${number}`)
    }
    for (const number of [1040, 1045, 1062, 1205, 1213, 1290, 1317, 1792, 1969]) {
      assert.equal(driver.classify(error(number), 'commit').ambiguous, false, `${number}`)
    }
    for (const [code, isAmbiguous] of [
      ['PROTOCOL_CONNECTION_LOST', true],
      ['ECONNRESET', true],
      ['EPIPE', true],
      ['ECONNREFUSED', false],
      ['HANDSHAKE_SSL_ERROR', false],
    ] as const) {
      const fault = driver.classify(Object.assign(new Error('x'), { code, errno: -104 }), 'commit')
      assert.equal(fault.ambiguous, isAmbiguous, code)
    }
    const closed = new Error("Can't add new command when connection is in closed state")
    assert.deepEqual(
      [driver.classify(closed, 'commit').kind, driver.classify(closed, 'commit').ambiguous],
      ['lost', false],
    )
  })
})

async function faultOf(work: Promise<unknown>, phase: Phase): Promise<Fault> {
  const outcome = await within(
    work.then(
      () => null,
      (error: unknown) => ({ error }),
    ),
    8_000,
    'the failing work',
  )
  assert.ok(outcome !== null, 'it did not fail')
  return driver.classify(outcome.error, phase)
}
