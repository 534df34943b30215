import assert from 'node:assert/strict'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Service, startService } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { descriptors } from '../kernel.ts'

const env = {
  DATABASE_URL: 'sqlite:///./primary/app.db',
  FALLBACK_DATABASE_URL: 'sqlite:///./spare.db',
  FALLBACK_TIMEOUT: '1',
  MAX_RETRIES_PRIMARY: '0',
  RETRY_DELAY_MS: '100',
  RATE_LIMIT: '0',
  LOG_REQUESTS: 'false',
  DATA_DURABLE: 'true',
  // Without the threads that carry the WAL, which come when the disk is slow: descriptors can be counted.
  SQLITE_SYNC: 'full',
}

/** How a file is taken from the service while it is open, in place of a server that goes away. */
const outages: readonly (readonly [string, (folder: string) => Promise<void>])[] = [
  ['its folder is replaced by a file', async (folder) => writeFile(folder, 'nobody can open a database here')],
  [
    'another file, that is no database, is put in its place',
    async (folder) => {
      await mkdir(folder)
      await writeFile(join(folder, 'app.db'), 'garbage '.repeat(4_000))
    },
  ],
]

for (const [what, fail] of outages) {
  test(`a primary fails (${what}) and returns: every answer is one, nothing is restarted, nothing leaks`, async (t) => {
    const service = await startService(t, { env })
    const folder = join(service.dir, 'data/primary')
    // A slow machine may need more than FALLBACK_TIMEOUT to open it: not what is tried here.
    const before = await until(
      async () => {
        const created = await create(service)
        return created.store === 'primary; driver=sqlite' ? created : null
      },
      { withinMs: 40_000, what: 'the primary' },
    )
    assert.equal(before.durability, 'primary')
    const open = databaseFiles(service)
    for (let times = 0; times < 2; times++) {
      await rename(folder, `${folder}-away`)
      await fail(folder)
      const startedAt = performance.now()
      // Nothing can carry writes to a SQLite primary, so its fallback accepts none.
      await until(async () => (await write(service)).code === 'STORE_READ_ONLY', {
        withinMs: 5_000,
        what: 'the fallback',
      })
      assert.ok(performance.now() - startedAt < 3_000, 'within FALLBACK_TIMEOUT and a little')
      assert.equal((await health(service)).status, 'warn')
      assert.equal((await service.fetch('/health/ready')).status, 200)
      assert.match((await service.fetch('/api/feedback')).headers.get('holdfast-store') ?? '', /^fallback/)
      await putBack(folder)
      await until(async () => (await write(service)).store === 'primary; driver=sqlite', {
        withinMs: 40_000,
        what: 'the return',
      })
      assert.equal((await health(service)).state, 'PRIMARY_CONNECTED')
      const found = await service.fetch(`/api/feedback/${before.id}`)
      assert.equal(found.status, 200, 'the row of before the outage')
    }
    await until(() => databaseFiles(service).length <= open.length, {
      what: 'no more files to be open than before',
    })
    await until(async () => (await health(service)).sessions === 0, { what: 'every session to be released' })
    const defects = service.log().filter(({ event }) => event === 'service.defect' || event === 'database.defect')
    assert.deepEqual(defects, [])
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })
}

for (const mode of ['read-write', 'read-only'] as const) {
  test(`in an outage nothing is denied that the primary has (FALLBACK_MODE=${mode})`, async (t) => {
    const token = 'an-admin-token-for-tests'
    const service = await startService(t, {
      env: { ...env, FALLBACK_MODE: mode, FALLBACK_TIMEOUT: '10', ADMIN_TOKEN: token },
    })
    const folder = join(service.dir, 'data/primary')
    const { id } = await create(service)
    const path = `/api/feedback/${id}`
    const etag = (await service.fetch(path)).headers.get('etag') ?? ''
    assert.equal((await list(service)).partial, undefined, 'a list of the primary is whole')
    await rename(folder, `${folder}-away`)
    await writeFile(folder, 'nobody can open a database here')
    // Only a write finds out that the file is gone.
    await until(async () => {
      await service.send('POST', '/api/feedback', { rating: 5 })
      return (await list(service)).partial
    })
    const authorization = `Bearer ${token}`
    const json = { authorization, 'content-type': 'application/json' }
    const writes: readonly RequestInit[] = [
      { method: 'PATCH', headers: json, body: '{"rating":1}' },
      { method: 'PATCH', headers: { ...json, 'if-match': etag }, body: '{"rating":1}' },
      { method: 'PATCH', headers: { ...json, 'if-match': '*' }, body: '{"rating":1}' },
      { method: 'DELETE', headers: { authorization } },
      { method: 'DELETE', headers: { authorization, 'if-match': etag } },
    ]
    const reads: readonly RequestInit[] = [
      {},
      { method: 'HEAD' },
      { headers: { 'if-none-match': etag } },
      { method: 'PATCH', headers: json, body: '{}' },
    ]
    for (const init of [...reads, ...writes]) {
      const answer = await service.fetch(path, init)
      const said = init.method === 'HEAD' ? null : ((await answer.json()) as { code: string }) // A problem of ours.
      assert.equal(answer.status, 503, JSON.stringify([init, said]))
      assert.equal(answer.headers.get('retry-after'), '1')
      if (said?.code !== 'STORE_READ_ONLY')
        assert.equal(answer.headers.get('holdfast-store'), 'fallback; driver=sqlite')
      if (said !== null) assert.equal(said.code, writes.includes(init) ? 'STORE_READ_ONLY' : 'INCOMPLETE')
    }
    await putBack(folder)
    await until(async () => (await service.fetch(path)).status === 200, { withinMs: 40_000, what: 'the return' })
    assert.equal((await service.fetch(path)).headers.get('etag'), etag, 'nothing was changed')
    const other = await service.fetch('/api/feedback/01890000-0000-7000-8000-000000000000')
    assert.equal(other.status, 404, 'the primary knows that there is no such row')
  })
}

test('rows are not written into a file that was removed: they are in the one that is there after a restart', async (t) => {
  const service = await startService(t, { env: { RATE_LIMIT: '0' } })
  await create(service)
  await rename(join(service.dir, 'data/production.db'), join(service.dir, 'data/moved.db'))
  await until(() => service.log().some(({ event }) => event === 'store.closed') || create(service).then(() => false))
  const { id } = await until(() => create(service), { what: 'the file to be opened anew' })
  assert.deepEqual(await service.end(), { code: 0, signal: null })
  const again = await startService(t, { cwd: service.dir, env: { RATE_LIMIT: '0' } })
  assert.equal((await again.fetch(`/api/feedback/${id}`)).status, 200)
})

test('work under load during an outage is answered, every time', async (t) => {
  const service = await startService(t, { env })
  const folder = join(service.dir, 'data/primary')
  await create(service)
  let isOver = false
  const stores = new Set<string>()
  const workers = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const { code, store } = await write(service)
      stores.add(code ?? store)
    }
  })
  await rename(folder, `${folder}-away`)
  await writeFile(folder, '')
  await until(() => stores.has('STORE_READ_ONLY'), { what: 'the fallback' })
  await putBack(folder)
  stores.clear()
  await until(() => stores.has('primary; driver=sqlite'), { withinMs: 40_000, what: 'the return' })
  isOver = true
  await Promise.all(workers)
  await until(async () => (await health(service)).sessions === 0, { what: 'every session to be released' })
})

/**
 * Puts the folder back whose place something else has taken. Two steps: between them the prober may have made an empty
 * folder there, because a new database may be wanted; then that one has to go as well.
 */
async function putBack(folder: string): Promise<void> {
  await until(
    async () => {
      await rm(folder, { recursive: true, force: true })
      await rename(`${folder}-away`, folder)
      return true
    },
    { what: 'the folder to be in its place' },
  )
}

/** Creates a row; each answer must be a success. */
async function create(service: Service) {
  const answer = await service.send('POST', '/api/feedback', { rating: 5 })
  const body = (await answer.json()) as { id: string } // A row of ours.
  assert.equal(answer.status, 201, JSON.stringify(body))
  const { headers } = answer
  return { id: body.id, store: headers.get('holdfast-store') ?? '', durability: headers.get('holdfast-durability') }
}

/** Creates a row, or is refused by a fallback that accepts none. */
async function write(service: Service) {
  const answer = await service.send('POST', '/api/feedback', { rating: 5 })
  const body = (await answer.json()) as { code?: string } // A row or a problem of ours.
  assert.ok(answer.status === 201 || body.code === 'STORE_READ_ONLY', JSON.stringify(body))
  return { code: body.code, store: answer.headers.get('holdfast-store') ?? '' }
}

async function list(service: Service) {
  return (await (await service.fetch('/api/feedback')).json()) as { items: unknown[]; partial?: boolean } // A list of ours.
}

async function health(service: Service) {
  const answer = await service.fetch('/health')
  const body = (await answer.json()) as { status: string; checks: Record<string, [{ observedValue: unknown }]> } // Ours.
  return {
    status: body.status,
    state: body.checks['database:state']?.[0].observedValue,
    sessions: body.checks['database:sessions']?.[0].observedValue,
  }
}

const databaseFiles = ({ pid }: Service): readonly string[] =>
  descriptors(pid).filter((target) => target.includes('.db'))
