import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { noPgbouncer, type Pgbouncer, startPgbouncer } from '../../support/servers/pgbouncer.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach, ready, statusText } from '../serving.ts'

const primary = 'primary; driver=postgresql'
const fallback = 'fallback; driver=sqlite'

interface Row {
  readonly id: string
  readonly rating: number
  readonly meta: unknown
}

describe('the service through a PgBouncer in transaction mode', { skip: noPostgres || noPgbouncer }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let pooler: Pgbouncer
  before(async () => {
    server = await startPostgres(cleanup)
    // A server that failed is tried again after 15 s unless told: that long PgBouncer itself refuses.
    pooler = await startPgbouncer(cleanup, server, { settings: ['server_login_retry = 1'] })
  })

  const options = (url: string) => ({
    env: {
      DRIVERS: 'sqlite,postgresql',
      DATABASE_URL: url,
      ...hurriedEnv,
      POOL_SIZE: '2',
      POOL_MAX_OVERFLOW: '0',
    },
  })

  /** Without a process of its own: what fails here is the pooler or the server. */
  const start = (t: TestContext, url: string): Promise<Hosted> => hostService(t, options(url))

  const create = (service: Hosted, rating: number) =>
    service.send('POST', '/api/feedback', { rating, comment: 'pooled', meta: { deep: [1, null] } }, admin)

  async function assertWhole(service: Hosted): Promise<void> {
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(service, 2)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
    assert.deepEqual([...new Set(answers.map(({ headers }) => headers.get('holdfast-store')))], [primary])
  }

  for (const [how, query] of [
    ['that the address names', '?pgbouncer=true'],
    ['that is only found out', ''],
  ] as const) {
    test(`all five operations answer through a pooler ${how}`, async (t) => {
      const database = await server.createDatabase()
      const service = await ready(start(t, `${pooler.url(database)}${query}`), primary)
      const created = await create(service, 5)
      assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, primary])
      const row = (await created.json()) as Row
      assert.deepEqual(row.meta, { deep: [1, null] })
      // More at once than the pooler has connections to the server.
      const many = await Promise.all(Array.from({ length: 40 }, (_, at) => create(service, (at % 5) + 1)))
      assert.deepEqual([...new Set(many.map(({ status }) => status))], [201])
      assert.deepEqual(await (await service.fetch(`/api/feedback/${row.id}`)).json(), row)
      const changed = await service.send('PATCH', `/api/feedback/${row.id}`, { rating: 1 }, admin)
      assert.equal(((await changed.json()) as Row).rating, 1)
      const list = (await (await service.fetch('/api/feedback?limit=100')).json()) as { items: Row[] }
      assert.equal(list.items.length, 41)
      assert.equal((await service.send('DELETE', `/api/feedback/${row.id}`, undefined, admin)).status, 204)
      assert.deepEqual(await server.query('select count(*)::int as n from feedback', database), [{ n: 40 }])
      await service.end()
    })
  }

  test('when the pooler is killed the fallback answers, and when it is back the primary serves', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(start(t, pooler.url(database)), primary)
    await create(service, 5)
    await pooler.kill()
    try {
      await reach(service, fallback)
      assert.equal((await create(service, 3)).headers.get('holdfast-store'), fallback)
    } finally {
      await pooler.start()
    }
    await reach(service, primary)
    await assertWhole(service)
    await service.end()
  })

  test('when the pooler hangs callers are freed within QUERY_TIMEOUT, and it serves again when it goes on', async (t) => {
    const service = await ready(start(t, pooler.url(await server.createDatabase())), primary)
    await create(service, 5)
    pooler.pause()
    try {
      const stopped = performance.now()
      const answers = await Promise.all(Array.from({ length: 8 }, () => service.fetch('/api/feedback')))
      assert.ok(performance.now() - stopped < 1_000 + 1_500)
      for (const answer of answers) assert.equal(answer.headers.get('holdfast-store'), fallback)
    } finally {
      pooler.resume()
    }
    await reach(service, primary)
    await assertWhole(service)
    await service.end()
  })

  test('when PostgreSQL dies behind the pooler the fallback answers, and the primary soon after it is back', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(start(t, pooler.url(database)), primary)
    await create(service, 5)
    await server.kill()
    try {
      await reach(service, fallback)
      // PgBouncer may be silent for longer than the check that finds the loss; it answers one of the next tries.
      await until(async () => /08P01/.test(await statusText(service)), { what: "the pooler's own word" })
    } finally {
      await server.start()
    }
    const back = performance.now()
    await reach(service, primary)
    t.diagnostic(`the server answers to the first answer of the primary: ${Math.round(performance.now() - back)} ms`)
    await assertWhole(service)
    await service.end()
  })
})
