import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import driver from '../../../plugins/neon/neon.ts'
import type { Settings } from '../../../src/config/settings.ts'
import {
  type Bench,
  type BenchStore,
  createBench,
  Note,
  note,
  openStore,
  urlAddress,
} from '../../../src/conformance/bench.ts'
import type { Limits } from '../../../src/driver/driver.ts'
import type { Fault } from '../../../src/driver/fault.ts'
import { makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import {
  type BridgeBehaviour,
  type NeonBridge,
  startBridge,
  type UpgradeBehaviour,
} from '../../support/servers/neon-bridge.ts'
import { type Certificate, freePort, noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanLater, cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { assertWhole as assertPool, faultOf, insert, short } from '../postgresql/room.ts'

interface Room {
  readonly store: BenchStore
  readonly bridge: NeonBridge
  readonly database: string
}

describe('faults of WebSockets before a real PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  /** The settings of a process whose NEON_WS_PROXY is this. */
  function settingsFor(wsProxy: string | null): Settings {
    return { ...bench.settings, plugins: { neon: { ...bench.settings.plugins?.neon, wsProxy } } }
  }

  function targetOf(text: string, wsProxy: string | null) {
    const { target, problems } = driver.parse(urlAddress(bench, text), settingsFor(wsProxy))
    assert.ok(target, problems[0]?.message)
    return target
  }

  const proxyOf = (bridge: { readonly port: number }) => `ws://127.0.0.1:${bridge.port}/v1`

  /** A store with a pool of two, behind a bridge. */
  async function openRoom(t: TestContext, limits: Limits = short): Promise<Room> {
    const bridge = await startBridge(t, server)
    const database = await server.createDatabase()
    const store = await openStore(bench, { target: targetOf(server.url(database), proxyOf(bridge)), limits })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    return { store, bridge, database }
  }

  async function assertWhole({ store, bridge }: Room): Promise<void> {
    bridge.behave('pass')
    bridge.upgrade('pass')
    await assertPool(store)
  }

  async function open(text: string, wsProxy: string | null, withinMs = 3_000, connectMs = 3_000): Promise<string> {
    const [candidate] = await driver.connect(targetOf(text, wsProxy), { ...short, connectMs })
    assert.ok(candidate)
    const connection = await candidate.open(AbortSignal.timeout(withinMs))
    try {
      const want = { role: 'primary', proof: 'write' } as const
      return (await connection.verify(want, AbortSignal.timeout(withinMs))).version
    } finally {
      connection.evict()
    }
  }

  const openingFault = (text: string, wsProxy: string | null, withinMs?: number, connectMs?: number): Promise<Fault> =>
    faultOf(open(text, wsProxy, withinMs, connectMs), 'open')

  const places = [
    ['at BEGIN', /begin/i],
    ['inside', /insert/i],
    ['at COMMIT', /commit/i],
  ] as const
  for (const how of ['cut', 'reset', 'garbage', 'swallow', 'mute', 1000, 1011] as const) {
    test(`a pool of two is whole after "${how}" at BEGIN, inside a transaction and at COMMIT, twice each`, async (t) => {
      const room = await openRoom(t)
      for (const [index, [where, pattern]] of [...places, ...places].entries()) {
        const met = room.bridge.once(pattern, how)
        const began = performance.now()
        const fault = await faultOf(insert(room.store, `n-${index}`), where === 'at COMMIT' ? 'commit' : 'statement')
        await met
        assert.ok(performance.now() - began < short.queryMs * 2 + 600, `${where} took ${performance.now() - began} ms`)
        assert.match(fault.kind, /^(lost|unreachable)$/, where)
        assert.equal(fault.ambiguous, where === 'at COMMIT', 'only a COMMIT may have happened')
        await server.query('delete from conformance_note', room.database)
      }
      await assertWhole(room)
    })
  }

  test('a pool of two is whole after statements that took too long, inside transactions and outside', async (t) => {
    const room = await openRoom(t)
    const { orm } = room.store
    for (let round = 0; round < 3; round += 1) {
      const inside = orm.em.fork().transactional((em) => em.execute('select pg_sleep(20)'))
      const fault = await faultOf(inside, 'statement')
      assert.deepEqual([fault.kind, fault.code, fault.ambiguous], ['lost', 'QUERY_TIMEOUT', false])
      assert.equal((await faultOf(orm.em.fork().execute('select pg_sleep(20)'), 'statement')).code, 'QUERY_TIMEOUT')
    }
    await assertWhole(room)
    await until(() => room.bridge.open <= 2, { what: 'what was left behind to be closed' })
  })

  test('a hundred answers are late or lost, and no WebSocket and no session stays', async (t) => {
    const room = await openRoom(t)
    for (let round = 0; round < 25; round += 1) {
      room.bridge.dropAll()
      await Promise.allSettled([1, 2, 3, 4].map((at) => insert(room.store, `r-${round}-${at}`)))
    }
    await assertWhole(room)
    await room.store.engine.close(room.store.orm, 500)
    const left = `select count(*)::int as n from pg_stat_activity where datname = '${room.database}' and pid <> pg_backend_pid()`
    await until(async () => (await server.query(left, room.database))[0]?.n === 0, { what: 'the server to be left' })
    await until(() => room.bridge.open === 0)
  })

  test('a silent bridge is left at once when connections are evicted, and soon when they are closed', async (t) => {
    const room = await openRoom(t)
    const proxy = await startProxy(t, room.bridge)
    const target = targetOf(server.url(room.database), proxyOf(proxy))
    const [candidate] = await driver.connect(target, short)
    assert.ok(candidate)
    const [evicted, ended] = await Promise.all([1, 2].map(() => candidate.open(AbortSignal.timeout(2_000))))
    assert.ok(evicted && ended)
    assert.equal(proxy.open, 2)
    // From here on nobody answers a closing frame.
    proxy.behave('swallow')
    evicted.evict()
    await until(() => proxy.open === 1, { withinMs: 300, what: 'the evicted one to be gone' })
    await within(ended.close(), 2_500, 'the closing')
    await until(() => proxy.open === 0, { withinMs: 500, what: 'the closed one to be gone' })
    ended.evict()
    await ended.close()
  })

  test('a statement whose connection hangs before, in or after the upgrade is freed, and told that nothing was sent', async (t) => {
    const room = await openRoom(t)
    const hangs: readonly (readonly [UpgradeBehaviour, BridgeBehaviour])[] = [
      ['hang', 'pass'],
      [{ lateMs: 5_000 }, 'pass'],
      ['pass', 'swallow'],
    ]
    for (const [upgrade, behaviour] of hangs) {
      room.bridge.upgrade(upgrade)
      room.bridge.behave(behaviour)
      room.bridge.dropAll()
      const write = () => room.store.statements().write('delete from conformance_note', [])
      await until(async () => {
        const began = performance.now()
        const fault = await faultOf(write(), 'commit')
        assert.ok(performance.now() - began < short.queryMs + 500)
        return fault.kind === 'unreachable' && fault.code === 'CONNECTION_TIMEOUT' && !fault.ambiguous
      })
      await assertWhole(room)
    }
  })

  test('an opening that hangs ends at CONNECTION_TIMEOUT, or when its caller has no time left, whichever comes first', async (t) => {
    const bridge = await startBridge(t, server)
    for (const [upgrade, behaviour] of [
      ['hang', 'pass'],
      ['pass', 'swallow'],
    ] as const) {
      bridge.upgrade(upgrade)
      bridge.behave(behaviour)
      for (const [withinMs, connectMs, code] of [
        [200, 3_000, 'ABORTED'],
        [3_000, 200, 'CONNECTION_TIMEOUT'],
      ] as const) {
        const began = performance.now()
        const fault = await openingFault(server.url(), proxyOf(bridge), withinMs, connectMs)
        assert.deepEqual([fault.kind, fault.code, fault.ambiguous], ['unreachable', code, false])
        assert.ok(performance.now() - began < 1_200)
      }
    }
    await until(() => bridge.open === 0)
  })

  test('a TLS handshake that nobody answers ends in time, and leaves nothing open', async (t) => {
    const proxy = await startProxy(t, server)
    proxy.behave('swallow')
    const began = performance.now()
    const fault = await openingFault(server.url(), `wss://127.0.0.1:${proxy.port}/v1`, 500)
    assert.deepEqual([fault.kind, fault.ambiguous], ['unreachable', false])
    assert.ok(performance.now() - began < 1_500)
    await until(() => proxy.open === 0, { withinMs: 500, what: 'the socket to be closed' })
  })

  test('who waits for a connection of a full pool is freed, and told so', async (t) => {
    const room = await openRoom(t)
    const free = Promise.withResolvers<void>()
    const holding = [1, 2].map(() => room.store.orm.em.fork().transactional(() => free.promise))
    const fault = await faultOf(room.store.orm.em.fork().count(Note), 'statement')
    assert.deepEqual([fault.kind, fault.code], ['capacity', 'POOL_EXHAUSTED'])
    free.resolve()
    await Promise.all(holding)
    await assertWhole(room)
  })

  test('a native write whose answer is lost is ambiguous, one that was never sent is not', async (t) => {
    const { store, bridge, database } = await openRoom(t)
    const { write, read } = store.statements()
    const text = 'insert into conformance_note values ($1, $1, 0)'
    const muted = bridge.once(/insert/i, 'mute')
    const lost = await faultOf(write(text, ['there']), 'commit')
    await muted
    assert.deepEqual([lost.kind, lost.code, lost.ambiguous], ['lost', 'QUERY_TIMEOUT', true])
    assert.deepEqual(await server.query('select id from conformance_note', database), [{ id: 'there' }])
    const cut = bridge.once(/insert/i, 'cut')
    const gone = await faultOf(write(text, ['gone']), 'commit')
    await cut
    assert.deepEqual([gone.kind, gone.ambiguous], ['lost', true])
    const reading = bridge.once(/select/i, 'mute')
    assert.equal((await faultOf(read('select 1', []), 'statement')).ambiguous, false)
    await reading
    await bridge.kill()
    await until(async () => {
      const unsent = await faultOf(write(text, ['never']), 'commit')
      return unsent.code === 'ECONNREFUSED' && !unsent.ambiguous
    })
    await bridge.start()
    assert.equal((await write(text, ['after'])).changed, 1)
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

  test('nothing is prepared: a session is not ours to keep', async (t) => {
    const { store, bridge } = await openRoom(t)
    assert.deepEqual(await store.statements().read('select $1::int as one', [1]), [{ one: 1 }])
    assert.deepEqual(await store.orm.em.fork().execute('select name from pg_prepared_statements'), [])
    assert.deepEqual([...new Set(bridge.asked)], [`/v1?address=127.0.0.1:${server.port}`])
  })

  test('rows larger than a WebSocket carries at once come whole', async (t) => {
    const { store } = await openRoom(t, { ...short, queryMs: 5_000 })
    const text = '\u00e9'.repeat(2_000_000)
    const [row] = await store.statements().read('select $1::text as text', [text])
    assert.ok(row?.text === text)
    const rows = await store.statements().read("select repeat('x', 1000) as x from generate_series(1, 20000)", [])
    assert.equal(rows.length, 20_000)
  })

  test('an idle connection that the server ends is closed in silence, and the next statement opens anew', async (t) => {
    const room = await openRoom(t)
    const others = `datname = '${room.database}' and pid <> pg_backend_pid()`
    for (let round = 0; round < 2; round += 1) {
      await assertWhole(room)
      await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`, room.database)
      await until(() => room.bridge.open === 0, { what: 'the connections to be closed' })
    }
    assert.equal((await room.store.statements().read('select 1 as one', [])).length, 1, 'the first try answers')
    await assertWhole(room)
  })

  test('a database that has to wake up first is one slow answer', async (t) => {
    const room = await openRoom(t, { ...short, connectMs: 5_000, queryMs: 3_000 })
    const others = `datname = '${room.database}' and pid <> pg_backend_pid()`
    await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`, room.database)
    await until(() => room.bridge.open === 0)
    room.bridge.upgrade({ lateMs: 1_000 })
    const began = performance.now()
    assert.equal((await room.store.statements().read('select 1 as one', [])).length, 1)
    assert.ok(performance.now() - began >= 1_000)
  })

  test('a server that is stopped or killed frees its callers within the limit, and serves on when it is back', async (t) => {
    const room = await openRoom(t)
    server.pause()
    try {
      const began = performance.now()
      assert.equal((await faultOf(room.store.orm.em.fork().execute('select 1'), 'statement')).code, 'QUERY_TIMEOUT')
      assert.ok(performance.now() - began < short.queryMs + 500)
      const opening = await openingFault(server.url(room.database), proxyOf(room.bridge), 300)
      assert.deepEqual([opening.kind, opening.ambiguous], ['unreachable', false])
    } finally {
      server.resume()
    }
    await assertWhole(room)
    await server.kill()
    const fault = await faultOf(room.store.orm.em.fork().execute('select 1'), 'statement')
    assert.match(fault.kind, /^(lost|unreachable)$/)
    await server.start()
    await until(() => assertWhole(room).then(() => true))
  })

  const upgrades: readonly (readonly [UpgradeBehaviour, string, string])[] = [
    [401, 'auth', 'NEON_HTTP_401'],
    [403, 'auth', 'NEON_HTTP_403'],
    [404, 'configuration', 'NEON_HTTP_404'],
    [301, 'configuration', 'NEON_HTTP_301'],
    [429, 'capacity', 'NEON_HTTP_429'],
    [500, 'unreachable', 'NEON_HTTP_500'],
    [503, 'unreachable', 'NEON_HTTP_503'],
    ['noise', 'configuration', 'NEON_NOT_WEBSOCKET'],
    ['wrong-key', 'configuration', 'NEON_NOT_WEBSOCKET'],
    ['hang', 'unreachable', ''],
  ]
  test('each way in which an upgrade is refused has its kind, and leaves nothing open', async (t) => {
    const bridge = await startBridge(t, server)
    for (const [how, kind, code] of upgrades) {
      bridge.upgrade(how)
      const fault = await openingFault(server.url(), proxyOf(bridge), how === 'hang' ? 300 : 2_000)
      assert.deepEqual([fault.kind, fault.ambiguous], [kind, false], `${JSON.stringify(how)} gave ${fault.code}`)
      if (code !== '') assert.equal(fault.code, code)
    }
    bridge.upgrade('pass')
    const sessions: readonly (readonly [BridgeBehaviour, string])[] = [
      ['swallow', 'unreachable'],
      ['cut', 'unreachable'],
      ['reset', 'unreachable'],
      ['garbage', 'unreachable'],
      [1008, 'unreachable'],
    ]
    for (const [how, kind] of sessions) {
      bridge.behave(how)
      const fault = await openingFault(server.url(), proxyOf(bridge), 400)
      assert.deepEqual([fault.kind, fault.ambiguous], [kind, false], `${how} gave ${fault.code}`)
    }
    await until(() => bridge.open === 0, { what: 'every WebSocket to be closed' })
  })

  test('each way in which an opening fails has its kind', async (t) => {
    const bridge = await startBridge(t, server)
    const url = server.url()
    const proxy = proxyOf(bridge)
    const cases: readonly (readonly [string, string | null, string, string])[] = [
      [url.replace(/:[^:@]*@/, ':wrong@'), proxy, 'auth', '28P01'],
      [url.replace(/:[^:@]*@/, '@'), proxy, 'auth', 'PASSWORD_MISSING'],
      [server.url('missing_database'), proxy, 'configuration', '3D000'],
      [url, `ws://127.0.0.1:${await freePort()}/v1`, 'unreachable', 'ECONNREFUSED'],
      [url, `wss://127.0.0.1:${bridge.port}/v1`, 'tls', ''],
      ['neon+https://u:p@nowhere.invalid/db', null, 'unreachable', ''],
      [url.replace(/\?.*|$/, '?sslrootcert=/nowhere/ca.pem'), 'wss://localhost/v1', 'tls', 'TLS_FILE_UNREADABLE'],
      // What listens there speaks PostgreSQL, not HTTP.
      [url, `ws://127.0.0.1:${server.port}/v1`, 'unreachable', ''],
    ]
    for (const [text, wsProxy, kind, code] of cases) {
      const fault = await openingFault(text, wsProxy)
      assert.deepEqual([fault.kind, fault.ambiguous], [kind, false], `${text} by ${wsProxy} gave ${fault.code}`)
      if (code !== '') assert.equal(fault.code, code, text)
    }
  })

  describe('with TLS', { skip: noOpenssl }, () => {
    let bridge: NeonBridge
    let known: Certificate & { readonly authority: string }
    let authority: string
    before(async () => {
      known = await makeCertificate(cleanup)
      authority = join(await makeTempDir(cleanup, 'authority'), 'ca.crt')
      await writeFile(authority, known.authority)
      bridge = await startBridge(cleanup, server, known)
    })

    const at = (host: string, more = '') =>
      `${server.url().replace(/@.*$/, '').replace('postgres:', 'neon+wss:')}@${host}:${bridge.port}/postgres${more}`

    test('the host itself takes WebSockets under /v2, when its certificate is known', async () => {
      assert.match(await open(at('localhost', `?sslrootcert=${authority}&sslmode=require`), null), /^\d+/)
      assert.deepEqual(bridge.asked.at(-1), '/v2')
      const text = encodeURIComponent(known.authority)
      assert.match(await open(at('localhost', `?sslrootcert=${text}`), null), /^\d+/)
    })

    test('the WebSocket has the version of TLS that the address asks for', async () => {
      for (const [limit, version] of [
        ['ssl_max_protocol_version=TLSv1.2', 'TLSv1.2'],
        ['ssl_min_protocol_version=TLSv1.3', 'TLSv1.3'],
      ] as const) {
        const target = targetOf(at('localhost', `?sslrootcert=${authority}&${limit}`), null)
        const [candidate] = await driver.connect(target, short)
        const connection = await candidate?.open(AbortSignal.timeout(3_000))
        const facts = await connection?.verify({ role: 'primary', proof: 'look' }, AbortSignal.timeout(3_000))
        connection?.evict()
        assert.equal(facts?.insight?.encryption, version)
      }
    })

    test('a certificate of nobody, or of another host, is refused however little TLS the address asks for', async () => {
      const stranger = await makeCertificate(cleanup)
      const wrong = encodeURIComponent(stranger.authority)
      for (const [text, code] of [
        [at('localhost'), /UNABLE_TO|SELF_SIGNED/],
        [at('localhost', '?sslmode=disable'), /UNABLE_TO|SELF_SIGNED/],
        [at('localhost', `?sslrootcert=${wrong}`), /UNABLE_TO|SELF_SIGNED|CERT_SIGNATURE/],
        [at('127.0.0.1', `?sslrootcert=${authority}`), /ERR_TLS_CERT_ALTNAME_INVALID/],
      ] as const) {
        const fault = await openingFault(text, null)
        assert.equal(fault.kind, 'tls', fault.code)
        assert.match(fault.code, code)
      }
    })
  })
})
