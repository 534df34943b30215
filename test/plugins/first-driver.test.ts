import assert from 'node:assert/strict'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { repository, startService } from '../support/process.ts'
import { makeTempDir } from '../support/temp.ts'

const page = readFileSync(join(repository, 'plugins/README.md'), 'utf8')

test('the first driver of the page serves as it stands, as primary and as fallback', async (t) => {
  const [, code = ''] = /## A first driver[\s\S]*?```js\n([\s\S]*?)```/.exec(page) ?? []
  const [, line = ''] = /`(DRIVERS=.*) npm start`/.exec(page) ?? []
  const given = Object.fromEntries(line.split(' ').map((pair) => pair.split('=', 2)))
  const cwd = await makeTempDir(t, 'first-driver')
  symlinkSync(join(repository, 'node_modules'), join(cwd, 'node_modules'))
  const collection = readFileSync(join(repository, 'config/collections/feedback.json'), 'utf8')
  const files = { 'drivers/jotter/jotter.mjs': code, 'config/collections/feedback.json': collection }
  const service = await startService(t, { cwd, files, env: given })
  const created = await service.send('POST', '/api/feedback', { rating: 5 })
  assert.equal(created.status, 201, service.output())
  assert.equal(created.headers.get('holdfast-store'), 'primary; driver=jotter')
  assert.equal((await service.fetch(created.headers.get('location') ?? '')).status, 200)
  // Its fallback accepts no writes, since nothing can carry them to a driver without `replays`.
  assert.equal(((await (await service.fetch('/health')).json()) as { status: string }).status, 'warn')
  await service.end('SIGTERM')
  const unusable = await startService(t, { cwd, env: { ...given, DATABASE_URL: 'jotter:NO' } })
  const list = await unusable.fetch('/api/feedback')
  assert.equal(list.headers.get('holdfast-store'), 'fallback; driver=jotter', unusable.output())
  const refused = await unusable.send('POST', '/api/feedback', { rating: 4 })
  const { code: why } = (await refused.json()) as { code: string }
  assert.deepEqual([refused.status, why], [503, 'STORE_READ_ONLY'])
})
