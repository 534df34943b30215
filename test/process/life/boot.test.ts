import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { runProcess, type Service, startProcess, startService } from '../../support/process.ts'
import { makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { descriptors } from '../kernel.ts'

const row = { rating: 5 }
/** Declared, and never reached: the folder above the file is a file. */
const unreachable = 'sqlite:///./blocked/primary.db'
/** The same of a server: a fallback next to it may accept writes. */
const refusing = { DRIVERS: 'sqlite,postgresql', DATABASE_URL: 'postgresql://user:pw@127.0.0.1:9/app' }
const blocked = { 'data/blocked': 'not a folder' }

async function health(service: Service, path = '/health') {
  const answer = await service.fetch(path)
  const body = (await answer.json()) as { status: string; checks: Record<string, [{ observedValue: string }]> } // Ours.
  return { http: answer.status, status: body.status, state: body.checks['database:state']?.[0].observedValue }
}

async function databaseFiles(service: Service): Promise<readonly string[]> {
  const names = await readdir(service.dir, { recursive: true })
  return names.filter((name) => /\.(db|sqlite)/.test(name))
}

const openDatabases = ({ pid }: Service): readonly string[] => descriptors(pid).filter((target) => /\.db/.test(target))

test('starting, listening and being looked at open nothing; the first row makes the file', async (t) => {
  const service = await startService(t)
  for (const path of ['/', '/health', '/health/live', '/health/ready', '/metrics', '/nothing'])
    await service.fetch(path)
  assert.deepEqual(await health(service), { http: 200, status: 'pass', state: 'DISCONNECTED' })
  assert.equal((await health(service, '/health/ready')).http, 200)
  assert.deepEqual(await databaseFiles(service), [])
  assert.deepEqual(openDatabases(service), [])
  const sockets = descriptors(service.pid).filter((target) => target.startsWith('socket:'))
  const created = await service.send('POST', '/api/feedback', row)
  assert.equal(created.status, 201)
  assert.match(created.headers.get('holdfast-store') ?? '', /^local; driver=sqlite$/)
  assert.match(created.headers.get('holdfast-durability') ?? '', /^local(-ephemeral)?$/)
  assert.ok((await databaseFiles(service)).includes('data/production.db'))
  assert.deepEqual(await health(service), { http: 200, status: 'pass', state: 'FALLBACK_CONNECTED' })
  assert.ok(descriptors(service.pid).filter((target) => target.startsWith('socket:')).length <= sockets.length + 1)
})

test('a body that is refused, and an id that is none, open nothing either', async (t) => {
  const service = await startService(t)
  assert.equal((await service.send('POST', '/api/feedback', { rating: 'x' })).status, 422)
  assert.equal((await service.fetch('/api/feedback/none')).status, 404)
  assert.deepEqual(openDatabases(service), [])
})

test('an empty DATABASE_URL is local and no problem, also when rows are there from before', async (t) => {
  const cwd = await makeTempDir(t, 'boot')
  const files = collection
  const first = await startService(t, { cwd, files, env: { DATABASE_URL: ' ' } })
  assert.equal((await first.send('POST', '/api/feedback', row)).status, 201)
  await first.end()
  const second = await startService(t, { cwd, env: { DATABASE_URL: 'None' } })
  assert.deepEqual(await databaseFiles(second).then((names) => names.filter((name) => name.endsWith('.db'))), [
    'data/production.db',
  ])
  assert.deepEqual(openDatabases(second), [], 'a local file alone is no reason to open')
  assert.match((await second.fetch('/api/feedback')).headers.get('holdfast-store') ?? '', /^local;/)
})

test('eager opens in the background right after listening', async (t) => {
  const service = await startService(t, { env: { DATABASE_BOOT: 'eager' } })
  await until(async () => (await health(service)).state === 'FALLBACK_CONNECTED', { what: 'the store' })
  assert.ok(openDatabases(service).length > 0)
})

test('required goes on when the local store, or the primary, is reached', async (t) => {
  for (const DATABASE_URL of ['', 'sqlite:///./primary.db']) {
    const service = await startService(t, { env: { DATABASE_BOOT: 'required', DATABASE_URL } })
    assert.equal((await service.send('POST', '/api/feedback', row)).status, 201)
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  }
})

test('required ends with one sentence when the primary is not reached, though the fallback could serve', async (t) => {
  const env = { DATABASE_BOOT: 'required', DATABASE_URL: unreachable, FALLBACK_TIMEOUT: '1', MAX_RETRIES_PRIMARY: '0' }
  const { code, stderr } = await runProcess(t, { env, files: blocked })
  assert.equal(code, 1)
  assert.match(stderr, /^DATABASE_BOOT=required, but the primary was not reached\. [^\n]+\n$/)
})

test('a declared primary and a file of ours: opened in the background; without such a file, not', async (t) => {
  const cwd = await makeTempDir(t, 'boot')
  const env = { DATABASE_URL: 'sqlite:///./primary.db', FALLBACK_DATABASE_URL: 'sqlite:///./spare.db' }
  const first = await startService(t, { cwd, env, files: collection })
  assert.deepEqual(openDatabases(first), [])
  const created = await first.send('POST', '/api/feedback', row)
  assert.match(created.headers.get('holdfast-store') ?? '', /^primary; driver=sqlite$/)
  assert.equal(created.headers.get('holdfast-durability'), 'primary-ephemeral')
  await until(async () => (await databaseFiles(first)).includes('data/spare.db'), { what: 'the fallback beside it' })
  await first.end()
  const second = await startService(t, { cwd, env })
  await until(async () => (await health(second)).state === 'PRIMARY_CONNECTED', { what: 'the primary, unasked' })
})

test('a primary that cannot be opened: the fallback serves and says so, readiness is as it was wished', async (t) => {
  for (const [READINESS, ready] of [
    ['any', 200],
    ['primary', 503],
  ] as const) {
    const service = await startService(t, { env: { ...hurried, ...refusing, READINESS } })
    const created = await service.send('POST', '/api/feedback', row)
    assert.equal(created.status, 201)
    assert.match(created.headers.get('holdfast-store') ?? '', /^fallback; driver=sqlite$/)
    assert.deepEqual(await health(service), { http: 200, status: 'warn', state: 'FALLBACK_CONNECTED' })
    assert.equal((await health(service, '/health/ready')).http, ready)
    assert.equal((await service.fetch('/health/live')).status, 200)
  }
})

test('a durability that cannot be had is refused before anything is written', async (t) => {
  const service = await startService(t, { env: { ...hurried, ...refusing } })
  const create = (prefer: string) =>
    service.fetch('/api/feedback', {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer },
      body: '{"rating":5}',
    })
  const refused = await create('durability=primary')
  assert.equal(refused.status, 503)
  assert.equal(((await refused.json()) as { code: string }).code, 'DURABILITY_UNMET') // An answer of ours.
  assert.ok(refused.headers.get('retry-after'))
  assert.deepEqual(((await (await service.fetch('/api/feedback')).json()) as { items: unknown[] }).items, [])
})

test('without a fallback an unusable primary is an error that health and data requests show, and the process lives', async (t) => {
  const env = { ...hurried, DATABASE_URL: unreachable, ENABLE_FALLBACK: 'false' }
  const service = await startService(t, { files: blocked, env })
  const refused = await service.send('POST', '/api/feedback', row)
  assert.equal(refused.status, 503)
  assert.ok(refused.headers.get('retry-after'))
  assert.equal(((await refused.json()) as { code: string }).code, 'STORE_UNAVAILABLE') // An answer of ours.
  await until(async () => (await health(service)).state === 'CONNECTION_ERROR', { what: 'the error' })
  const { http, status } = await health(service)
  assert.deepEqual({ http, status }, { http: 503, status: 'fail' })
  assert.equal((await health(service, '/health/ready')).http, 503)
  assert.equal((await service.fetch('/health/live')).status, 200)
  const answer = await service.fetch('/api/feedback')
  assert.equal(answer.status, 503)
  assert.ok(answer.headers.get('retry-after'))
})

test('a fallback that is read-only serves reads and refuses writes', async (t) => {
  const env = { ...hurried, DATABASE_URL: unreachable, FALLBACK_MODE: 'read-only' }
  const service = await startService(t, { files: blocked, env })
  const refused = await service.send('POST', '/api/feedback', row)
  assert.equal(refused.status, 503)
  assert.equal(((await refused.json()) as { code: string }).code, 'STORE_READ_ONLY') // An answer of ours.
  const list = await service.fetch('/api/feedback')
  assert.equal(list.status, 200)
  assert.match(list.headers.get('holdfast-store') ?? '', /^fallback;/)
})

test('SIGTERM while the databases are being opened ends the process in time', async (t) => {
  const env = {
    DATABASE_URL: unreachable,
    DATABASE_BOOT: 'required',
    FALLBACK_TIMEOUT: '60',
    MAX_RETRIES_PRIMARY: '5',
    RETRY_DELAY_MS: '5000',
    SHUTDOWN_TIMEOUT: '2',
  }
  const running = await startProcess(t, { files: blocked, env })
  await until(() => running.output().includes('http.listening'), { withinMs: 15_000, what: 'the service to listen' })
  const { code } = await running.end('SIGTERM', 5_000)
  assert.ok(code === 0 || code === 1, `${code}`)
})

const hurried = { FALLBACK_TIMEOUT: '1', MAX_RETRIES_PRIMARY: '0', RETRY_DELAY_MS: '100' }

const collection = {
  'config/collections/feedback.json': JSON.stringify({
    name: 'feedback',
    fields: { rating: { type: 'integer' } },
    access: { create: 'public', list: 'public', get: 'public' },
  }),
}
