import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Service, startService } from '../../support/process.ts'
import { S3Server } from '../../support/s3-server.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

type Environment = Readonly<Record<string, string>>

interface Place {
  readonly env: Environment
}

const places: readonly (readonly [string, (t: Cleanup) => Promise<Place>])[] = [
  ['a bucket', async (t) => ({ env: (await S3Server.start(t)).env() })],
  ['a folder', async (t) => ({ env: { ARCHIVE_URL: `file://${await makeTempDir(t)}/archive` } })],
]

/** A service whose disk a restart empties: the container's own. */
async function start(t: Cleanup, env: Environment, cwd?: string): Promise<Service> {
  return await startService(t, {
    env: { DATA_DURABLE: 'false', RATE_LIMIT: '0', ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
}

async function create(service: Service, rating: number, durability?: string): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...(durability ? { prefer: `durability=${durability}` } : {}) }
  return await service.fetch('/api/feedback', { method: 'POST', headers, body: JSON.stringify({ rating }) })
}

async function ratings(service: Service): Promise<number[]> {
  const found: number[] = []
  await until(
    async () => {
      const answer = await service.fetch('/api/feedback?limit=1000')
      if (answer.status !== 200) return false
      found.push(...((await answer.json()) as { items: { rating: number }[] }).items.map(({ rating }) => rating))
      return true
    },
    { what: 'the rows', withinMs: 20_000 },
  )
  return found.sort()
}

/** Waits until the archive can confirm: it has a whole copy. */
async function archived(service: Service, rating: number): Promise<void> {
  await until(async () => (await create(service, rating, 'archived')).status === 201, {
    what: 'the first snapshot',
    withinMs: 20_000,
  })
}

async function emptied(service: Service): Promise<void> {
  await service.end('SIGKILL')
  await rm(join(service.dir, 'data'), { recursive: true, force: true })
}

describe('rows outlive the disk of the service', () => {
  for (const [name, make] of places) {
    test(`with an archive in ${name}: killed, its disk emptied, and started again, twice`, async (t) => {
      const { env } = await make(t)
      let service = await start(t, env)
      await archived(service, 1)
      const answer = await create(service, 2, 'archived')
      assert.equal(answer.headers.get('holdfast-durability'), 'archived')
      assert.equal(answer.headers.get('holdfast-archive-lag'), null)
      await emptied(service)
      service = await start(t, env, service.dir)
      assert.deepEqual(await ratings(service), [1, 2])
      await archived(service, 3)
      await emptied(service)
      service = await start(t, env, service.dir)
      assert.deepEqual(await ratings(service), [1, 2, 3])
    })

    test(`with an archive in ${name}: SIGTERM ships what no answer has waited for`, async (t) => {
      const { env } = await make(t)
      // Nothing is sent by time.
      let service = await start(t, { ...env, ARCHIVE_INTERVAL: '3600' })
      await archived(service, 1)
      const answer = await create(service, 2)
      assert.equal(answer.headers.get('holdfast-durability'), 'local-ephemeral')
      assert.match(answer.headers.get('holdfast-archive-lag') ?? '', /^\d+\.\d$/)
      assert.deepEqual(await service.end('SIGTERM', 15_000), { code: 0, signal: null })
      await rm(join(service.dir, 'data'), { recursive: true, force: true })
      service = await start(t, env, service.dir)
      assert.deepEqual(await ratings(service), [1, 2])
    })
  }
})

describe('while rows are restored', () => {
  test('requests get 503 RESTORING at once, the service is alive and not ready, then serves', async (t) => {
    const server = await S3Server.start(t)
    let service = await start(t, server.env())
    await archived(service, 1)
    await emptied(service)
    const resume = server.misbehave('busy', ({ method }) => method === 'GET')
    service = await start(t, server.env(), service.dir)
    assert.equal((await service.fetch('/health/ready')).status, 503, 'from the first request on')
    await until(async () => (await service.fetch('/api/feedback')).status === 503, { what: 'the restore' })
    const refused = await service.fetch('/api/feedback')
    assert.equal(((await refused.json()) as { code: string }).code, 'RESTORING')
    assert.ok(Number(refused.headers.get('retry-after')) > 0)
    assert.equal((await service.fetch('/health/ready')).status, 503)
    assert.equal((await service.fetch('/health/live')).status, 200)
    const health = await service.fetch('/health')
    const body = (await health.json()) as { status: string; output: string; checks: Record<string, unknown> }
    assert.deepEqual([health.status, body.status, body.output], [200, 'warn', 'RESTORING'])
    assert.ok('archive:restore' in body.checks)
    resume()
    assert.deepEqual(await ratings(service), [1])
    assert.equal((await service.fetch('/health/ready')).status, 200)
  })

  test('the archive unreachable: the service starts without rows after the limit and says so', async (t) => {
    const server = await S3Server.start(t)
    await server.stop()
    const service = await start(t, { ...server.env(), ARCHIVE_RESTORE_TIMEOUT: '2' })
    assert.deepEqual(await ratings(service), [])
    const { checks } = (await (await service.fetch('/health')).json()) as {
      checks: Record<string, { output?: string }[]>
    }
    assert.match(checks['service:problems']?.[0]?.output ?? '', /ARCHIVE_EMPTY_START/)
    const unmet = await create(service, 1, 'archived')
    assert.equal(((await unmet.json()) as { code: string }).code, 'DURABILITY_UNMET')
    assert.equal((await create(service, 1)).status, 201)
  })

  test('the archive unreachable and required: everything but health gets 503 until it answers', async (t) => {
    const server = await S3Server.start(t)
    let service = await start(t, server.env())
    await archived(service, 1)
    await emptied(service)
    await server.stop()
    service = await start(t, { ...server.env(), ARCHIVE_RESTORE_TIMEOUT: '1', ARCHIVE_REQUIRED: 'true' }, service.dir)
    const code = async () => ((await (await service.fetch('/api/feedback')).json()) as { code: string }).code
    await until(async () => (await code()) === 'ARCHIVE_REQUIRED', { what: 'the refusal', withinMs: 10_000 })
    assert.equal((await service.fetch('/health')).status, 200)
    await server.resume()
    assert.deepEqual(await ratings(service), [1])
  })
})
