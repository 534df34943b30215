import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { type Service, startService } from '../../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf, makeTempDir, writeFiles } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach, ready, storeOf } from '../serving.ts'

const primary = 'primary; driver=postgresql'
const fallback = 'fallback; driver=sqlite'

interface Row {
  readonly id: string
  readonly rating: number
  readonly version: number
  readonly createdAt: string
  readonly meta: unknown
}

describe('the service on a real PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  const options = (url: string, env: Readonly<Record<string, string>>) => ({
    env: {
      DRIVERS: 'sqlite,postgresql',
      DATABASE_URL: url,
      ...hurriedEnv,
      ...env,
    },
  })

  const start = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Service> =>
    startService(t, options(url, env))

  /** Without a process of its own: what fails here is the server, or the way to it. */
  const host = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Hosted> =>
    hostService(t, options(url, env))

  const create = (service: Hosted, rating: number, comment = 'from the test') =>
    service.send('POST', '/api/feedback', { rating, comment, meta: { deep: [1, null, 'two'] } }, admin)

  test('rows land in PostgreSQL, and all five operations answer from it', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(start(t, server.url(database)), primary)
    const created = await create(service, 5, 'a\'b"c\\d;--\u00e9\u{1f600}')
    assert.equal(created.status, 201)
    assert.equal(created.headers.get('holdfast-store'), primary)
    assert.equal(created.headers.get('holdfast-durability'), 'primary')
    const row = (await created.json()) as Row
    const [stored] = await server.query('select * from feedback', database)
    assert.deepEqual(
      [
        stored?.id,
        stored?.rating,
        stored?.comment,
        stored?.meta,
        (stored?.createdAt as Date | undefined)?.toISOString(),
      ],
      [row.id, 5, 'a\'b"c\\d;--\u00e9\u{1f600}', row.meta, row.createdAt],
    )
    const got = await service.fetch(`/api/feedback/${row.id}`)
    assert.deepEqual(await got.json(), row)
    assert.equal(got.headers.get('etag'), created.headers.get('etag'))
    const changed = await service.send('PATCH', `/api/feedback/${row.id}`, { rating: 1, meta: null }, admin)
    assert.equal(changed.status, 200)
    const after = (await changed.json()) as Row
    assert.deepEqual([after.rating, after.version, after.meta, after.createdAt], [1, 2, null, row.createdAt])
    await create(service, 2)
    const list = (await (await service.fetch('/api/feedback?limit=1')).json()) as { items: Row[]; next: string }
    assert.equal(list.items.length, 1)
    const rest = (await (await service.fetch(`/api/feedback?limit=1&cursor=${list.next}`)).json()) as { items: Row[] }
    assert.deepEqual(rest.items, [after])
    assert.equal((await service.send('DELETE', `/api/feedback/${row.id}`, undefined, admin)).status, 204)
    assert.equal((await service.fetch(`/api/feedback/${row.id}`)).status, 404)
    const tables = await server.query(
      "select tablename from pg_tables where schemaname = 'public' order by tablename",
      database,
    )
    assert.deepEqual(
      tables.map(({ tablename }) => tablename),
      ['feedback', 'holdfast_attempt', 'holdfast_conflict', 'holdfast_identity', 'holdfast_request'],
    )
    assert.deepEqual(await service.end(), { code: 0, signal: null })
    const again = await ready(start(t, server.url(database)), primary)
    assert.equal(((await (await again.fetch('/api/feedback')).json()) as { items: Row[] }).items.length, 1)
    assert.deepEqual(await again.end(), { code: 0, signal: null })
    assert.ok(!(service.output() + again.output()).includes('pa ss/w@rd'), 'the password is nowhere')
    assert.ok(!(service.output() + again.output()).includes(encodeURIComponent('pa ss/w@rd#1')))
  })

  test('when PostgreSQL is killed the fallback answers, and when it is back it serves without a restart', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(start(t, server.url(database)), primary)
    await create(service, 5)
    await server.kill()
    const killed = performance.now()
    await reach(service, fallback)
    t.diagnostic(`SIGKILL to the first answer of the fallback: ${Math.round(performance.now() - killed)} ms`)
    const created = await create(service, 3)
    assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, fallback])
    assert.match(created.headers.get('holdfast-durability') ?? '', /^journal/)
    await server.start()
    const back = performance.now()
    await reach(service, primary)
    t.diagnostic(`the server answers to the first answer of the primary: ${Math.round(performance.now() - back)} ms`)
    assert.equal((await create(service, 4)).headers.get('holdfast-store'), primary)
    const rows = await server.query('select rating from feedback order by id', database)
    assert.deepEqual(
      rows.map(({ rating }) => rating),
      [5, 3, 4],
    )
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })

  test('when PostgreSQL is stopped callers are freed within QUERY_TIMEOUT, and it serves again when it goes on', async (t) => {
    const service = await ready(host(t, server.url(await server.createDatabase())), primary)
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
    await service.end()
  })

  // A service of its own for each: a second loss within a minute of a return is followed by a longer stay.
  for (const behaviour of ['swallow', 'mute', 'cut', 'reset'] as const) {
    test(`the network does "${behaviour}": answers go on, and afterwards a pool of two is whole`, async (t) => {
      const proxy = await startProxy(t, server)
      const database = await server.createDatabase()
      const service = await ready(
        host(t, server.url(database, proxy.port), { POOL_SIZE: '2', POOL_MAX_OVERFLOW: '0' }),
        primary,
      )
      await create(service, 5)
      proxy.behave(behaviour)
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => create(service, 1)),
        ...Array.from({ length: 4 }, () => service.fetch('/api/feedback')),
      ])
      for (const { status } of answers) assert.ok([200, 201, 503].includes(status), `${status}`)
      await reach(service, fallback)
      proxy.behave('pass')
      // What was swallowed stays open at the proxy; the service has left it long ago.
      await reach(service, primary)
      const whole = await Promise.all(Array.from({ length: 8 }, () => create(service, 2)))
      assert.deepEqual([...new Set(whole.map(({ status }) => status))], [201])
      await service.end()
      await until(() => proxy.open === 0, { what: 'all connections to be closed' })
    })
  }

  // What the service answers when a row was committed and PostgreSQL's word of it is lost depends on one thing alone:
  // whether the very database that was asked to commit can be asked again. It can where one connection fell silent.
  test('a commit whose answer is lost on one connection is looked for on another, and acknowledged', async (t) => {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const service = await ready(host(t, server.url(database, proxy.port)), primary)
    await create(service, 5)
    const met = proxy.once(/insert into "feedback"|holdfast_[0-9a-f]{32}/i, 'mute')
    const answer = await create(service, 1, 'unknown')
    await met
    assert.deepEqual([answer.status, answer.headers.get('holdfast-store')], [201, primary])
    const row = (await answer.json()) as Row
    const rows = await server.query("select id from feedback where comment = 'unknown'", database)
    assert.deepEqual(rows, [{ id: row.id }])
    const read = await service.fetch(`/api/feedback/${row.id}`)
    assert.deepEqual([read.headers.get('etag'), await read.json()], [answer.headers.get('etag'), row])
    await service.end()
  })

  test('a write whose answer failed to come is settled by a claim: nothing was written, and never will be', async (t) => {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const service = await ready(host(t, server.url(database, proxy.port)), primary)
    const { id } = (await (await create(service, 5)).json()) as Row
    for (const write of [
      () => create(service, 1, 'unknown'),
      () => service.send('DELETE', `/api/feedback/${id}`, undefined, admin),
    ]) {
      void proxy.once(/(?:insert into|delete from) "feedback"|holdfast_[0-9a-f]{32}/i, 'swallow')
      const answer = await write()
      assert.deepEqual([answer.status, ((await answer.json()) as { code: string }).code], [503, 'QUERY_TIMEOUT'])
    }
    const claims = () => server.query('select id from holdfast_attempt', database)
    await until(async () => (await claims()).length === 2, { what: 'the claims of the two alone' })
    assert.equal((await service.fetch(`/api/feedback/${id}`)).status, 200)
    assert.equal(await storeOf(service), primary, 'one connection that fell silent is no outage')
    await service.end()
  })

  test('a change whose answer is lost with the database is told as unknown, and is written nowhere else', async (t) => {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const service = await ready(host(t, server.url(database, proxy.port)), primary)
    const { id } = (await (await create(service, 5)).json()) as Row
    const met = proxy.once(/update "feedback"|holdfast_[0-9a-f]{32}/i, 'mute')
    const changing = service.send('PATCH', `/api/feedback/${id}`, { comment: 'unknown' }, admin)
    await met
    const unknown = async () =>
      (await server.query("select count(*)::int as n from feedback where comment = 'unknown'", database))[0]?.n
    await until(async () => (await unknown()) === 1, { what: 'the row to be committed' })
    await proxy.refuse()
    proxy.dropAll()
    const answer = await changing
    assert.deepEqual([answer.status, ((await answer.json()) as { code: string }).code], [503, 'COMMIT_UNKNOWN'])
    await reach(service, fallback)
    assert.ok(!(await (await service.fetch('/api/feedback?limit=100')).text()).includes('unknown'))
    await proxy.accept()
    await reach(service, primary)
    assert.equal(await unknown(), 1)
    await service.end()
  })

  test('a wrong password serves from the fallback and heals when the secret file is rotated', async (t) => {
    const database = await server.createDatabase()
    const dir = await makeTempDir(t, 'secret')
    const right = server.url(database)
    await writeFiles(dir, { url: right.replace(/:[^:@]*@/, ':wr0ng-passw0rd@') })
    const service = await start(t, '', { DATABASE_URL_FILE: `${dir}/url` })
    await reach(service, fallback)
    const status = await (await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })).text()
    assert.match(status, /28P01/)
    assert.ok(!status.includes('wr0ng-passw0rd') && !service.output().includes('wr0ng-passw0rd'))
    await writeFiles(dir, { url: right })
    await reach(service, primary, 45_000)
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })

  for (const [what, change, code] of [
    ['a database that is missing', (url: string) => url.replace(/\/t_\w+$/, '/not_there'), '3D000'],
    ['a server that speaks no TLS', (url: string) => `${url}?sslmode=require`, 'TLS_REFUSED'],
  ] as const) {
    test(`${what} is told, and the fallback serves`, async (t) => {
      const service = await host(t, change(server.url(await server.createDatabase())))
      await reach(service, fallback)
      const status = await (await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })).text()
      assert.ok(status.includes(code), status)
      await service.end()
    })
  }
})
