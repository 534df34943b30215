import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Service, startService } from '../../support/process.ts'
import { until } from '../../support/until.ts'

const admin = 'an-admin-token-of-some-length'
const env = {
  DATABASE_URL: 'sqlite:///./primary/app.db',
  FALLBACK_DATABASE_URL: 'sqlite:///./spare.db',
  ADMIN_TOKEN: admin,
  // Of the start alone: a machine that does much else must not make the first rows those of the fallback.
  FALLBACK_TIMEOUT: '15s',
  MAX_RETRIES_PRIMARY: '0',
  RATE_LIMIT: '0',
  LOG_REQUESTS: 'false',
}

interface Left {
  readonly total: number
  readonly isMore: boolean
  readonly collections: Readonly<Record<string, number>>
}

async function leftOf(service: Service): Promise<Left | null> {
  const answer = await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })
  return ((await answer.json()) as { database: { left: Left | null } }).database.left // Ours.
}

async function create(service: Service): Promise<{ readonly id: string; readonly durability: string | null }> {
  const answer = await service.send('POST', '/api/feedback', { rating: 5 })
  const { id } = (await answer.json()) as { id: string } // A row of ours.
  return { id, durability: answer.headers.get('holdfast-durability') }
}

/** A service whose primary was taken away, with three rows that it wrote meanwhile, one of which it removed again. */
async function withRowsLeft(t: TestContext): Promise<{ readonly service: Service; readonly folder: string }> {
  const service = await startService(t, { env })
  const folder = join(service.dir, 'data/primary')
  assert.equal((await create(service)).durability, 'primary-ephemeral')
  assert.deepEqual(await leftOf(service), { total: 0, isMore: false, collections: {} })
  await rename(folder, `${folder}-away`)
  await writeFile(folder, 'nobody can open a database here')
  const first = await until(async () => {
    const row = await create(service)
    return row.durability === 'fallback-only' ? row : null
  })
  await create(service)
  await create(service)
  assert.equal((await service.send('DELETE', `/api/feedback/${first.id}`, undefined, admin)).status, 204)
  return { service, folder }
}

async function assertTold(service: Service): Promise<void> {
  assert.deepEqual(await leftOf(service), { total: 2, isMore: false, collections: { feedback: 2 } })
  const health = (await (await service.fetch('/health')).json()) as {
    status: string
    checks: Record<string, [{ observedValue: number; output: string }]>
  } // Ours.
  assert.equal(health.status, 'warn')
  assert.equal(health.checks['fallback:rows']?.[0].observedValue, 2)
  assert.match(health.checks['fallback:rows']?.[0].output ?? '', /^2 rows in the fallback are missing from the primary/)
  const page = await (await service.fetch('/', { headers: { accept: 'text/html' } })).text()
  assert.match(page, /<p id="left">2 rows in the fallback are missing from the primary/)
  assert.equal((await service.fetch('/health/ready')).status, 200)
}

test('rows that a fallback took are counted and said, at the return and after a restart', async (t) => {
  const { service, folder } = await withRowsLeft(t)
  await assertTold(service)
  await rename(folder, `${folder}-none`)
  await rename(`${folder}-away`, folder)
  await until(async () => (await create(service)).durability === 'primary-ephemeral', {
    withinMs: 10_000,
    what: 'the return',
  })
  const rows = (await leftOf(service))?.total ?? 0
  const said = service.log().filter(({ event }) => event === 'rows.left')
  assert.match(String(said.at(-1)?.msg), new RegExp(`^${rows} rows in the fallback are missing from the primary`))
  assert.deepEqual([said.at(-1)?.collections, /^sqlite/.test(String(said.at(-1)?.label))], [{ feedback: rows }, true])
  assert.deepEqual(await service.end(), { code: 0, signal: null })

  const again = await startService(t, { env, cwd: service.dir })
  assert.equal(await leftOf(again), null, 'nothing was opened yet')
  assert.equal((await create(again)).durability, 'primary-ephemeral')
  await until(async () => (await leftOf(again))?.total === rows, { what: 'the rows of before the restart' })
  assert.ok(again.log().some(({ event }) => event === 'rows.left'))
  assert.deepEqual(await again.end(), { code: 0, signal: null })

  // Without a declared primary the same rows are simply the database.
  const local = await startService(t, { env: { ...env, DATABASE_URL: '' }, cwd: service.dir })
  assert.match((await create(local)).durability ?? '', /^local/)
  assert.equal(await leftOf(local), null)
  assert.deepEqual(await local.end(), { code: 0, signal: null })
})
