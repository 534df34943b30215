import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startService } from '../../support/process.ts'
import { noStandby, startPostgres, startStandby } from '../../support/servers/postgres.ts'
import { until } from '../../support/until.ts'

const admin = 'an-admin-token-of-some-length'

test('of a cluster the host that takes writes serves; when it dies its standby, once promoted, without a restart', {
  skip: noStandby,
}, async (t) => {
  const server = await startPostgres(t)
  const standby = await startStandby(t, server)
  const database = await server.createDatabase()
  const hosts = `127.0.0.1:${standby.port},127.0.0.1:${server.port}`
  const url = server.url(database).replace(/127\.0\.0\.1:\d+/, hosts)
  const service = await startService(t, {
    env: {
      DRIVERS: 'sqlite,postgresql',
      DATABASE_URL: `${url}?target_session_attrs=read-write`,
      ADMIN_TOKEN: admin,
      RATE_LIMIT: '0',
      QUERY_TIMEOUT: '1s',
      FALLBACK_TIMEOUT: '4s',
      MAX_RETRIES_PRIMARY: '0',
      LOG_REQUESTS: 'false',
    },
  })
  const create = (rating: number) => service.send('POST', '/api/feedback', { rating }, admin)
  const storeOf = async () => (await service.fetch('/api/feedback?limit=1')).headers.get('holdfast-store') ?? 'none'
  const created = await create(5)
  assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, 'primary; driver=postgresql'])
  await until(async () => (await standby.query('select 1 from feedback', database)).length === 1)

  await server.kill()
  // A standby answers at the address all the while: what was lost is the host that served.
  await until(async () => (await storeOf()).startsWith('fallback'), { withinMs: 10_000, what: 'the fallback' })
  await standby.query('select pg_promote()')
  await until(async () => (await storeOf()).startsWith('primary'), { withinMs: 10_000, what: 'the promoted standby' })
  assert.equal((await create(4)).status, 201)
  assert.equal((await standby.query('select 1 from feedback', database)).length, 2)
  assert.deepEqual(await service.end(), { code: 0, signal: null })
})

test('of two hosts that both take writes the second serves on when the first dies', { skip: noStandby }, async (t) => {
  const [one, two] = [await startPostgres(t), await startPostgres(t)]
  const url = one.url('postgres').replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${one.port},127.0.0.1:${two.port}`)
  const service = await startService(t, {
    env: {
      DRIVERS: 'sqlite,postgresql',
      DATABASE_URL: url,
      ADMIN_TOKEN: admin,
      RATE_LIMIT: '0',
      QUERY_TIMEOUT: '1s',
      MAX_RETRIES_PRIMARY: '0',
      LOG_REQUESTS: 'false',
    },
  })
  const create = async () => {
    const answer = await service.send('POST', '/api/feedback', { rating: 5 }, admin)
    return answer.status === 201 && answer.headers.get('holdfast-store') === 'primary; driver=postgresql'
  }
  assert.ok(await create())
  await one.kill()
  await until(create, { withinMs: 10_000, what: 'a row in the second' })
  assert.ok((await two.query('select 1 from feedback')).length >= 1)
  assert.deepEqual(await service.end(), { code: 0, signal: null })
})
