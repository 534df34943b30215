import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createHoldfast, type Holdfast, type Observation, type SettingsInput } from '../../src/index.ts'
import { cleanLater, makeTempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'

const token = 'a-token-of-32-characters-or-more'
const notes = {
  name: 'notes',
  fields: { text: { type: 'string' } },
  access: { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public' },
} as const

interface Outage {
  readonly url: string
  /** Makes the primary reachable. */
  end(): Promise<void>
  readonly seen: readonly Observation[]
}

/** A service whose primary cannot be opened. */
async function startOutage(t: TestContext, fallback: SettingsInput['fallback'] = {}): Promise<Outage> {
  const dir = await makeTempDir(t, 'outage')
  const blocked = join(dir, 'primary')
  await writeFile(blocked, 'a file where a folder is needed')
  const seen: Observation[] = []
  const holdfast: Holdfast = createHoldfast({
    collections: [notes],
    observe: (one) => seen.push(one),
    settings: {
      admin: { token },
      data: { dir },
      database: { url: 'sqlite:///./primary/app.db' },
      fallback: { url: 'sqlite:///./spare.db', timeoutS: 1, maxRetriesPrimary: 0, ...fallback },
      http: { rateLimit: 0 },
    },
  })
  cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
  await holdfast.open()
  const { url } = await holdfast.listen({ port: 0, host: '127.0.0.1' })
  return { url, seen, end: () => rm(blocked) }
}

const headers = { 'content-type': 'application/json', 'holdfast-token': token }
const create = (url: string, more: Record<string, string> = {}) =>
  fetch(`${url}/api/notes`, { method: 'POST', body: '{"text":"a"}', headers: { ...headers, ...more } })
const jsonOf = async (answer: Response) => (await answer.json()) as Record<string, unknown> // Objects of ours.
const codeOf = async (answer: Response) => [answer.status, (await jsonOf(answer)).code]

test('in an outage health, status, log, metrics and page say so; what nothing could carry is refused; it ends by itself', async (t) => {
  const { url, end, seen } = await startOutage(t)
  const get = (path: string, accept = '*/*') => fetch(url + path, { headers: { ...headers, accept } })
  // Nothing can carry writes to a SQLite primary.
  assert.deepEqual(await codeOf(await create(url)), [503, 'STORE_READ_ONLY'])
  const unknown = '01890000-0000-7000-8000-000000000000'
  assert.deepEqual(await codeOf(await get(`/api/notes/${unknown}`)), [503, 'INCOMPLETE'])
  assert.equal((await jsonOf(await get('/api/notes'))).partial, true)

  const health = await get('/health')
  assert.deepEqual([health.status, (await jsonOf(health)).status], [200, 'warn'])
  assert.equal((await get('/health/live')).status, 200)
  const { database } = await jsonOf(await get('/status'))
  const { state, since, why } = database as Record<string, string> // Of the status.
  assert.equal(state, 'FALLBACK_CONNECTED')
  assert.ok(Date.parse(since ?? '') <= Date.now())
  assert.ok(why)
  const logged = seen.findLast((one) => one.type === 'connection.changed')
  assert.match(JSON.stringify(logged), /FALLBACK_CONNECTED.*(?:summary|fault)/)
  const metrics = await (await get('/metrics')).text()
  assert.match(metrics, /state="FALLBACK_CONNECTED"[^\n]* 1\n/)
  assert.match(metrics, /^holdfast_state_age_seconds [\d.]+$/m)
  const page = await (await get('/', 'text/html')).text()
  assert.match(page, /id="state">[^<]*fallback/i)
  const shown = /<time datetime="([^"]+)">/.exec(page)?.[1] ?? ''
  assert.ok(Math.abs(Date.parse(shown) - Date.parse(since ?? '')) < 1_000)

  await end()
  await until(async () => (await get('/api/notes')).headers.get('holdfast-store') === 'primary; driver=sqlite')
  assert.deepEqual((await jsonOf(await get('/api/notes'))).items, [])
  assert.match((await create(url)).headers.get('holdfast-durability') ?? '', /^primary/)
})

test('FALLBACK_MODE=read-only refuses writes in an outage, and ENABLE_FALLBACK=false everything, until it ends', async (t) => {
  const reading = await startOutage(t, { mode: 'read-only' })
  assert.deepEqual(await codeOf(await create(reading.url)), [503, 'STORE_READ_ONLY'])
  assert.equal((await fetch(`${reading.url}/api/notes`)).status, 200)
  const none = await startOutage(t, { enabled: false })
  assert.deepEqual(await codeOf(await create(none.url)), [503, 'STORE_UNAVAILABLE'])
  assert.equal((await fetch(`${none.url}/api/notes`)).status, 503)
  assert.equal((await fetch(`${none.url}/health/live`)).status, 200)
  for (const { url, end } of [reading, none]) {
    await end()
    await until(async () => (await create(url)).status === 201)
  }
})
