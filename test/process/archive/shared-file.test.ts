import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Service, startService } from '../../support/process.ts'
import { S3Server } from '../../support/s3-server.ts'
import { until } from '../../support/until.ts'

test('of two services on one data directory the first archives, the second says so and takes over when that one is gone', async (t) => {
  const server = await S3Server.start(t)
  const env = { ...server.env(), DATA_DURABLE: 'false' }
  const first = await startService(t, { env })
  await until(async () => (await rate(first)) === 'archived', { withinMs: 20_000, what: 'the first to confirm' })
  const second = await startService(t, { env, cwd: first.dir })
  await until(async () => (await problemsOf(second)).includes('ARCHIVE_FILE_SHARED'), {
    withinMs: 20_000,
    what: 'the second to say so',
  })
  assert.equal(await rate(second), 'DURABILITY_UNMET')
  assert.equal(await rate(first), 'archived')
  assert.doesNotMatch(await problemsOf(first), /ARCHIVE_/)
  await first.end('SIGKILL')
  await until(async () => (await rate(second)) === 'archived', { withinMs: 40_000, what: 'the second to confirm' })
})

/** What a write that demands the archive is answered with. */
async function rate(service: Service): Promise<string | null> {
  const headers = { 'content-type': 'application/json', prefer: 'durability=archived' }
  const answer = await service.fetch('/api/feedback', { method: 'POST', headers, body: '{"rating":5}' })
  const body: unknown = await answer.json()
  const isRefusal = typeof body === 'object' && body !== null && 'code' in body
  return isRefusal ? String(body.code) : answer.headers.get('holdfast-durability')
}

async function problemsOf(service: Service): Promise<string> {
  return await (await service.fetch('/health')).text()
}
