import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { createHoldfast } from '../../../src/index.ts'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { startService } from '../../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanLater, cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach, ready, statusText } from '../serving.ts'

const primary = 'primary; driver=postgresql'
const fallback = 'fallback; driver=sqlite'

const notes = { name: 'notes', fields: { text: { type: 'string' } }, access: { list: 'public' } } as const

interface StatusBody {
  readonly database: {
    readonly state: string
    readonly carrying: string | null
    readonly journal: { readonly transactions: number; readonly entries: number; readonly since: string | null } | null
  }
  readonly health: { readonly status: string }
}

describe('the return to a real PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  const host = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Hosted> =>
    hostService(t, { env: { DRIVERS: 'sqlite,postgresql', DATABASE_URL: url, ...hurriedEnv, ...env } })

  const create = (service: Hosted, rating: number) => service.send('POST', '/api/feedback', { rating }, admin)
  const status = async (service: Hosted): Promise<StatusBody> => JSON.parse(await statusText(service)) as StatusBody // Ours.
  const ratings = async (database: string): Promise<unknown[]> =>
    (await server.query('select rating from feedback order by id', database)).map(({ rating }) => rating)

  test('what the fallback accepted reaches the primary, once, with no request; until then it is shown everywhere', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(host(t, server.url(database)), primary)
    assert.equal((await create(service, 1)).headers.get('holdfast-durability'), 'primary')
    await server.kill()
    await reach(service, fallback)
    const { id } = (await (await create(service, 2)).json()) as { id: string }
    assert.equal((await create(service, 3)).headers.get('holdfast-durability')?.startsWith('journal'), true)
    assert.equal((await service.send('PATCH', `/api/feedback/${id}`, { rating: 4 }, admin)).status, 200)
    const away = await status(service)
    assert.equal(away.database.journal?.transactions, 3)
    assert.equal(away.health.status, 'warn')
    const health = (await (await service.fetch('/health')).json()) as { checks: Record<string, [{ output: string }]> } // Ours.
    assert.match(health.checks['fallback:journal']?.[0].output ?? '', /^3 changes wait in the journal/)
    assert.match(await (await service.fetch('/metrics')).text(), /^holdfast_journal_transactions 3$/m)
    const page = await (await service.fetch('/', { headers: { accept: 'text/html' } })).text()
    assert.match(page, /<p id="journal">3 changes wait in the journal/)
    await server.start()
    await until(async () => (await ratings(database)).length === 3, {
      what: 'the rows in the primary',
      withinMs: 30_000,
    })
    assert.deepEqual(await ratings(database), [1, 4, 3])
    await until(async () => (await status(service)).health.status === 'pass', { what: 'a passing health' })
    const back = await status(service)
    assert.deepEqual([back.database.state, back.database.journal?.entries], ['PRIMARY_CONNECTED', 0])
    const got = await service.fetch(`/api/feedback/${id}`)
    assert.deepEqual(
      [got.headers.get('holdfast-store'), ((await got.json()) as { rating: number }).rating],
      [primary, 4],
    )
    await service.end()
  })

  test('neither a stream nor an open transaction of an application keeps the service from the primary for good', async (t) => {
    const database = await server.createDatabase()
    const proxy = await startProxy(t, server)
    const ends = Promise.withResolvers<void>()
    const dir = await makeTempDir(t, 'return')
    const settings = {
      database: { url: server.url(database, proxy.port) },
      data: { dir },
      http: { port: 0, host: '127.0.0.1' },
    }
    const holdfast = createHoldfast({
      settings: { ...settings, fallback: { timeoutS: 2, maxRetriesPrimary: 0 } },
      collections: [notes],
      routes: (app, own) => {
        app.get('/stream', async (req, res) => {
          const { shown } = await own.session(req, res)
          res.write(shown)
          await ends.promise
          res.end('.')
        })
      },
    })
    cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
    const { url } = await holdfast.listen()
    await holdfast.open()
    await until(() => holdfast.status().database.state === 'PRIMARY_CONNECTED', {
      withinMs: 20_000,
      what: 'the primary',
    })
    await proxy.refuse()
    proxy.dropAll()
    const insert = (text: string, ready: Promise<unknown> = Promise.resolve()) =>
      holdfast.transactional(async ({ em }) => {
        em.persist(em.create(entityOf(notes), { text }))
        await em.flush()
        await ready
      })
    await until(async () => (await insert('first')).store === 'fallback', { what: 'the fallback' })
    const stream = await fetch(`${url}/stream`)
    const reader = stream.body?.getReader()
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'fallback')
    const commits = Promise.withResolvers<void>()
    const open = insert('open', commits.promise)
    await proxy.accept()
    // The holds that the transaction makes too short open the fallback again.
    await until(() => holdfast.status().database.recovery === 'pausing', {
      what: 'a hold that is too short',
      withinMs: 30_000,
    })
    assert.equal(holdfast.status().database.state, 'FALLBACK_CONNECTED')
    commits.resolve()
    assert.equal((await open).store, 'fallback')
    await until(() => holdfast.status().database.state === 'PRIMARY_CONNECTED', {
      withinMs: 40_000,
      what: 'the return',
    })
    const texts = (await server.query('select text from notes order by id', database)).map(({ text }) => text)
    assert.ok(texts.includes('first') && texts.includes('open'), String(texts))
    assert.equal(new Set(texts).size, 2, 'each once')
    ends.resolve()
    await reader?.read()
  })

  test('a primary that is lost in the hold is left, writes go on, and all of them reach it once', async (t) => {
    const database = await server.createDatabase()
    const proxy = await startProxy(t, server)
    const service = await ready(host(t, server.url(database, proxy.port)), primary)
    await create(service, 1)
    await proxy.refuse()
    proxy.dropAll()
    await reach(service, fallback)
    await create(service, 2)
    const held = proxy.hold(/watermark/)
    await proxy.accept()
    await held.met
    const late = create(service, 3)
    await proxy.refuse()
    proxy.dropAll()
    const answer = await late
    assert.deepEqual([answer.status, answer.headers.get('holdfast-store')], [201, fallback])
    assert.equal((await status(service)).database.state, 'FALLBACK_CONNECTED')
    await proxy.accept()
    await reach(service, primary)
    assert.deepEqual(await ratings(database), [1, 2, 3])
    await service.end()
  })

  test('a fallback that another process held is opened when that is gone, and what it owes is carried next to the primary', async (t) => {
    const database = await server.createDatabase()
    const proxy = await startProxy(t, server)
    const env = { DRIVERS: 'sqlite,postgresql', ...hurriedEnv }
    await proxy.refuse()
    const first = await startService(t, { env: { ...env, DATABASE_URL: server.url(database, proxy.port) } })
    await reach(first, fallback)
    assert.equal((await create(first, 2)).status, 201)
    const next = await startService(t, { env: { ...env, DATABASE_URL: server.url(database) }, cwd: first.dir })
    await reach(next, primary)
    const health = (await (await next.fetch('/health')).json()) as { status: string; output: string } // Ours.
    assert.deepEqual(
      [health.status, health.output],
      ['warn', 'PRIMARY_CONNECTED: the fallback is not open, FILE_SHARED'],
    )
    assert.equal((await create(next, 1)).headers.get('holdfast-store'), primary)
    await first.end('SIGKILL')
    await until(async () => (await ratings(database)).length === 2, {
      what: 'the row of the first process',
      withinMs: 30_000,
    })
    const changes = next.log().filter(({ event }) => event === 'connection.changed')
    assert.deepEqual(
      changes.map(({ to }) => to),
      ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'],
      'the primary served all the time',
    )
    await until(async () => (await status(next)).health.status === 'pass', { what: 'a passing health' })
    assert.deepEqual(await next.end(), { code: 0, signal: null })
  })

  test('a journal is carried after a start that no request follows, also of an address that was mistyped before', async (t) => {
    const database = await server.createDatabase()
    const env = { DRIVERS: 'sqlite,postgresql', ...hurriedEnv }
    const mistyped = await ready(
      startService(t, { env: { ...env, DATABASE_URL: 'postgresql://user:pw@host:99999/db' } }),
      fallback,
    )
    assert.equal((await create(mistyped, 2)).headers.get('holdfast-store'), fallback)
    assert.deepEqual(await mistyped.end(), { code: 0, signal: null })
    const next = await startService(t, { env: { ...env, DATABASE_URL: server.url(database) }, cwd: mistyped.dir })
    await until(async () => (await ratings(database)).length === 1, { what: 'the row', withinMs: 30_000 })
    assert.deepEqual(await next.end(), { code: 0, signal: null })
  })

  test('SIGTERM spends the grace time on a journal that a restart may lose, then names the file of what is left', async (t) => {
    const database = await server.createDatabase()
    const proxy = await startProxy(t, server)
    const env = { DRIVERS: 'sqlite,postgresql', ...hurriedEnv, DATABASE_URL: server.url(database, proxy.port) }
    const options = { env: { ...env, DATA_DURABLE: 'false', SHUTDOWN_TIMEOUT: '4s' } }
    await proxy.refuse()
    for (const comesBack of [true, false]) {
      const service = await startService(t, options)
      await reach(service, fallback)
      const made = await create(service, 5)
      assert.equal(made.headers.get('holdfast-durability'), 'journal-ephemeral')
      const ended = service.end()
      if (comesBack) await proxy.accept()
      assert.deepEqual(await ended, { code: 0, signal: null })
      const left = service.log().filter(({ event }) => event === 'journal.left')
      if (comesBack) assert.deepEqual(left, [])
      else assert.deepEqual([left[0]?.entries, /production.*db$/.test(String(left[0]?.path))], [1, true])
      await proxy.refuse()
    }
    assert.deepEqual(await ratings(database), [5])
  })
})
