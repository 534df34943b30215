import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { type Service, startService } from '../../support/process.ts'
import { makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { type NeonBridge, startBridge } from '../../support/servers/neon-bridge.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, reach, ready, statusText } from '../serving.ts'

const primary = 'primary; driver=neon'
const fallback = 'fallback; driver=sqlite'

/** Little patience, so that the tests need little. The defaults are what a sleeping database meets. */
const patience = {
  QUERY_TIMEOUT: '1s',
  CONNECTION_TIMEOUT: '2s',
  FALLBACK_TIMEOUT: '2s',
  MAX_RETRIES_PRIMARY: '0',
}

describe('the service on a real PostgreSQL behind WebSockets', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  const options = (url: string, env: Readonly<Record<string, string>>) => ({
    env: {
      DRIVERS: 'sqlite,neon',
      DATABASE_URL: url,
      ADMIN_TOKEN: admin,
      RATE_LIMIT: '0',
      LOG_REQUESTS: 'false',
      ...env,
    },
  })

  const start = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Service> =>
    startService(t, options(url, env))

  /** Without a process of its own: what fails here is the server, or the way to it. */
  const host = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Hosted> =>
    hostService(t, options(url, env))

  const urlOf = (database: string): string => server.url(database).replace('postgres:', 'neon+https:')
  const through = (bridge: NeonBridge) => ({ NEON_WS_PROXY: `ws://127.0.0.1:${bridge.port}/v1` })

  const create = (service: Hosted, rating: number) =>
    service.send('POST', '/api/feedback', { rating, comment: 'from the test', meta: { deep: [1, null, 'two'] } }, admin)

  /** Ends the idle connections of a database, as Neon does when it goes to sleep. */
  async function endIdle(database: string, open: () => number): Promise<void> {
    const others = `datname = '${database}' and pid <> pg_backend_pid()`
    // A check of a slow statement may still be writing: ended in the middle, it would find the database lost.
    const busy = `select count(*)::int as n from pg_stat_activity where ${others} and state <> 'idle'`
    await until(async () => (await server.query(busy, database))[0]?.n === 0, { what: 'the connections to be idle' })
    await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`, database)
    await until(() => open() === 0, { what: 'the connections to be closed' })
  }

  async function endWhole(service: Hosted, bridge: NeonBridge): Promise<void> {
    await service.end()
    await until(() => bridge.open === 0, { what: 'all WebSockets to be closed' })
    assert.doesNotMatch(service.output(), /pa ss\/w@rd|pa%20ss|uncaught|unhandled/i)
  }

  test('rows land in PostgreSQL, and all five operations answer from it', async (t) => {
    const bridge = await startBridge(t, server)
    const database = await server.createDatabase()
    const service = await ready(start(t, urlOf(database), { ...patience, ...through(bridge) }), primary)
    const created = await create(service, 5)
    assert.equal(created.status, 201)
    assert.equal(created.headers.get('holdfast-store'), primary)
    assert.equal(created.headers.get('holdfast-durability'), 'primary')
    const row = (await created.json()) as { id: string }
    assert.deepEqual(await (await service.fetch(`/api/feedback/${row.id}`)).json(), row)
    const changed = await service.send('PATCH', `/api/feedback/${row.id}`, { rating: 1 }, admin)
    assert.equal(changed.status, 200)
    assert.deepEqual(await server.query('select rating, meta from feedback', database), [
      { rating: 1, meta: { deep: [1, null, 'two'] } },
    ])
    const list = (await (await service.fetch('/api/feedback?limit=1')).json()) as { items: unknown[] }
    assert.equal(list.items.length, 1)
    assert.equal((await service.send('DELETE', `/api/feedback/${row.id}`, undefined, admin)).status, 204)
    assert.equal((await service.fetch(`/api/feedback/${row.id}`)).status, 404)
    assert.deepEqual([...new Set(bridge.asked)], [`/v1?address=127.0.0.1:${server.port}`])
    await endWhole(service, bridge)
  })

  test('when the bridge is gone the fallback answers, and when it is back the primary, without a restart', async (t) => {
    const bridge = await startBridge(t, server)
    const database = await server.createDatabase()
    const service = await ready(start(t, urlOf(database), { ...patience, ...through(bridge) }), primary)
    await create(service, 5)
    await bridge.kill()
    const gone = performance.now()
    await reach(service, fallback)
    t.diagnostic(`the bridge is gone to the first answer of the fallback: ${Math.round(performance.now() - gone)} ms`)
    assert.match((await create(service, 3)).headers.get('holdfast-durability') ?? '', /^journal/)
    await bridge.start()
    const back = performance.now()
    await reach(service, primary)
    t.diagnostic(`the bridge is back to the first answer of the primary: ${Math.round(performance.now() - back)} ms`)
    assert.equal((await create(service, 4)).headers.get('holdfast-store'), primary)
    const rows = await server.query('select rating from feedback order by id', database)
    assert.deepEqual(
      rows.map(({ rating }) => rating),
      [5, 3, 4],
    )
    await endWhole(service, bridge)
    assert.match(service.output(), /FALLBACK_CONNECTED/, 'what the log of a database that only slept does not say')
  })

  test('when PostgreSQL is killed behind the bridge the fallback answers, and then the primary again', async (t) => {
    const bridge = await startBridge(t, server)
    const service = await ready(
      host(t, urlOf(await server.createDatabase()), { ...patience, ...through(bridge) }),
      primary,
    )
    await create(service, 5)
    await server.kill()
    const killed = performance.now()
    await reach(service, fallback)
    t.diagnostic(`SIGKILL to the first answer of the fallback: ${Math.round(performance.now() - killed)} ms`)
    await server.start()
    const back = performance.now()
    await reach(service, primary)
    t.diagnostic(`the server answers to the first answer of the primary: ${Math.round(performance.now() - back)} ms`)
    await endWhole(service, bridge)
  })

  test('when PostgreSQL is stopped behind the bridge callers are freed within QUERY_TIMEOUT', async (t) => {
    const bridge = await startBridge(t, server)
    const service = await ready(
      host(t, urlOf(await server.createDatabase()), { ...patience, ...through(bridge) }),
      primary,
    )
    await create(service, 5)
    server.pause()
    try {
      const stopped = performance.now()
      const answers = await Promise.all(Array.from({ length: 20 }, () => service.fetch('/api/feedback')))
      const tookMs = performance.now() - stopped
      t.diagnostic(`SIGSTOP to 20 answers of the fallback: ${Math.round(tookMs)} ms`)
      assert.ok(tookMs < 1_000 + 1_500, `${tookMs} ms`)
      for (const answer of answers) assert.equal(answer.headers.get('holdfast-store'), fallback)
    } finally {
      server.resume()
    }
    await reach(service, primary)
    await endWhole(service, bridge)
  })

  for (const [how, lose] of [
    ['on one WebSocket is looked for on another, and acknowledged', false],
    ['with the bridge goes on in the fallback', true],
  ] as const) {
    test(`a create whose answer is lost ${how}`, async (t) => {
      const bridge = await startBridge(t, server)
      const database = await server.createDatabase()
      const service = await ready(host(t, urlOf(database), { ...patience, ...through(bridge) }), primary)
      await create(service, 5)
      const met = bridge.once(/insert into "feedback"/i, 'mute')
      const creating = create(service, 1)
      await met
      const count = async () =>
        (await server.query('select count(*)::int as n from feedback where rating = 1', database))[0]?.n
      await until(async () => (await count()) === 1, { what: 'the row to be committed' })
      if (lose) await bridge.kill()
      const answer = await creating
      assert.deepEqual([answer.status, answer.headers.get('holdfast-store')], [201, lose ? fallback : primary])
      if (lose) {
        await bridge.start()
        await reach(service, primary)
      }
      assert.equal(await count(), 1)
      await endWhole(service, bridge)
    })
  }

  for (const behaviour of ['swallow', 'cut', 1011] as const) {
    test(`the bridge does "${behaviour}": answers go on, and afterwards a pool of two is whole`, async (t) => {
      const bridge = await startBridge(t, server)
      const pool = { POOL_SIZE: '2', POOL_MAX_OVERFLOW: '0' }
      const service = await ready(
        host(t, urlOf(await server.createDatabase()), { ...patience, ...pool, ...through(bridge) }),
        primary,
      )
      await create(service, 5)
      bridge.behave(behaviour)
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => create(service, 1)),
        ...Array.from({ length: 4 }, () => service.fetch('/api/feedback')),
      ])
      for (const { status } of answers) assert.ok([200, 201, 503].includes(status), `${status}`)
      await reach(service, fallback)
      bridge.behave('pass')
      await reach(service, primary)
      const whole = await Promise.all(Array.from({ length: 8 }, () => create(service, 2)))
      assert.deepEqual([...new Set(whole.map(({ status }) => status))], [201])
      await endWhole(service, bridge)
    })
  }

  for (const [upgrade, code, said] of [
    [403, 'NEON_HTTP_403', /rejected the connection/],
    [503, 'NEON_HTTP_503', /cannot reach it/],
  ] as const) {
    test(`an upgrade that is refused with ${upgrade} is told, the fallback serves, and it heals`, async (t) => {
      const bridge = await startBridge(t, server)
      bridge.upgrade(upgrade)
      const service = await host(t, urlOf(await server.createDatabase()), { ...patience, ...through(bridge) })
      await reach(service, fallback)
      const status = await statusText(service)
      assert.ok(status.includes(code), status)
      assert.match(status, said)
      bridge.upgrade('pass')
      await reach(service, primary, 45_000)
      await endWhole(service, bridge)
    })
  }

  test('DATABASE_DRIVER=neon takes a postgres:// address over WebSockets, with the certificate in the environment', {
    skip: noOpenssl,
  }, async (t) => {
    const certificate = await makeCertificate(t)
    const authority = join(await makeTempDir(t, 'authority'), 'ca.crt')
    await writeFile(authority, certificate.authority)
    const bridge = await startBridge(t, server, certificate)
    const database = await server.createDatabase()
    const url = server.url(database, bridge.port).replace('127.0.0.1', 'localhost')
    const env = { ...patience, DRIVERS: 'sqlite,postgresql,neon', DATABASE_DRIVER: 'neon' }
    const stranger = await start(t, `${url}?sslmode=require`, env)
    await reach(stranger, fallback)
    assert.match(await statusText(stranger), /UNABLE_TO|SELF_SIGNED/)
    await stranger.end()
    const service = await ready(start(t, `${url}?sslmode=require`, { ...env, NEON_SSL_ROOT_CERT: authority }), primary)
    assert.equal((await create(service, 5)).headers.get('holdfast-store'), primary)
    assert.equal(bridge.asked.at(-1), '/v2')
    await endWhole(service, bridge)
  })

  test('a Neon that is asleep at the start, and again later, is one slow answer each time', async (t) => {
    const bridge = await startBridge(t, server)
    const database = await server.createDatabase()
    bridge.upgrade({ wakesMs: 3_000 })
    const service = await host(t, urlOf(database), through(bridge))
    for (const rating of [5, 4]) {
      const began = performance.now()
      const [created, listed] = await Promise.all([create(service, rating), service.fetch('/api/feedback')])
      t.diagnostic(`a database that wakes up in 3 s: ${Math.round(performance.now() - began)} ms`)
      assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, primary])
      assert.deepEqual([listed.status, listed.headers.get('holdfast-store')], [200, primary])
      bridge.upgrade({ wakesMs: 3_000 })
      await endIdle(database, () => bridge.open)
    }
    bridge.upgrade('pass')
    assert.doesNotMatch(service.output(), /FALLBACK_CONNECTED/)
    await endWhole(service, bridge)
  })

  test('the same by TCP: connections that end while they are idle are no outage, however slow the next one is', async (t) => {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const service = await host(t, server.url(database, proxy.port), { DRIVERS: 'sqlite,postgresql' })
    assert.equal((await create(service, 5)).headers.get('holdfast-store'), 'primary; driver=postgresql')
    await endIdle(database, () => proxy.open)
    // Each way, so that the handshake alone takes more than two seconds.
    proxy.delay(300)
    const began = performance.now()
    const created = await create(service, 4)
    t.diagnostic(`a slow connection after idle ones were ended: ${Math.round(performance.now() - began)} ms`)
    assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, 'primary; driver=postgresql'])
    proxy.delay(0)
    await service.end()
    assert.doesNotMatch(service.output(), /FALLBACK_CONNECTED/)
  })
})
