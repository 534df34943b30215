import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { check } from '../../../src/cli/check.ts'
import { cleanEnvironment, ordinaryUid, type Service } from '../../support/process.ts'
import { noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { noPostgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, cleanLater, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { canMount } from '../mounts.ts'
import { bodyOf, healthOf, look, makeHome, serve, statusOf } from '../sight.ts'

/** A working directory whose `data` is a disk of its own, of two megabytes unless it is said. */
async function homeOnSmallDisk(t: Cleanup, size = '2m'): Promise<string> {
  const cwd = await makeHome(t)
  const data = join(cwd, 'data')
  mkdirSync(data)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'holdfast-test', data])
  cleanLater(t, () => void execFileSync('umount', ['-l', data]))
  return cwd
}

/** Takes all the space that is left, to the last byte. */
function fill(cwd: string): void {
  const file = openSync(join(cwd, 'data/filler'), 'a')
  try {
    for (const size of [65_536, 4_096, 1]) while (hasWritten(file, size)) {}
  } finally {
    closeSync(file)
  }
}

function hasWritten(file: number, size: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(size)) === size
  } catch {
    return false
  }
}

function write(service: Service): Promise<Response> {
  return service.send('POST', '/api/feedback', { rating: 3, comment: 'x'.repeat(1_900) })
}

/** Writes until there is no room even in pages that the file already has. */
async function writeUntilFull(service: Service): Promise<Response> {
  return await until(
    async () => {
      const answer = await write(service)
      return answer.status === 201 ? null : answer
    },
    { withinMs: 10_000, everyMs: 1, what: 'the disk to be full' },
  )
}

async function assertReads(service: Service, store: string): Promise<void> {
  const list = await service.fetch('/api/feedback?limit=1')
  assert.equal(list.status, 200)
  assert.equal(list.headers.get('holdfast-store'), store)
  const { items } = await bodyOf(list)
  assert.equal(items.length, 1)
  assert.equal((await service.fetch(`/api/feedback/${items[0].id}`)).status, 200)
}

test('a data directory on a mount of another user: the reason names mount and owner', {
  skip: canMount ? false : 'only root can mount a disk',
}, async (t) => {
  const cwd = await makeHome(t)
  const bucket = await makeTempDir(t, 'bucket')
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'hf-mount', bucket])
  cleanLater(t, () => void execFileSync('umount', ['-l', bucket]))
  const service = await serve(t, { cwd, uid: ordinaryUid, env: { DATA_DIR: bucket } })
  const { problems } = await statusOf(service)
  const problem = problems.find(({ code }) => code === 'DATA_DIR_UNUSABLE')
  const wanted = `owned by user 0, mode 755, on the mount of hf-mount (tmpfs) at ${bucket}; this process is user 1000`
  assert.ok(problem?.message.includes(wanted), problem?.message)
})

test('a primary that is a file has the durability of its disk', async (t) => {
  const env = { DATABASE_URL: 'sqlite:///./x.db' }
  const cwd = await makeHome(t)
  const [service, lasting] = await Promise.all([
    serve(t, { cwd, env }),
    serve(t, { env: { ...env, DATA_DURABLE: 'true' } }),
  ])
  const seen = await look(service)
  assert.deepEqual([seen.store, seen.durability], ['primary; driver=sqlite', 'primary-ephemeral'])
  assert.equal(seen.health.durability, 'primary-ephemeral')
  assert.ok(
    service.log().some(({ event, msg }) => event === 'store.advised' && /^The primary is a file/.test(msg ?? '')),
  )
  const page = await (await service.fetch('/', { headers: { accept: 'text/html' } })).text()
  assert.match(page, /a restart may lose rows/)
  const headers = { 'content-type': 'application/json', prefer: 'durability=primary' }
  const demanded = () => ({ method: 'POST', headers, body: '{"rating":5}' })
  assert.equal((await service.fetch('/api/feedback', demanded())).status, 503)
  assert.equal((await lasting.fetch('/api/feedback', demanded())).status, 201)
  assert.equal((await look(lasting)).durability, 'primary')
  const report = await check({ env: cleanEnvironment(cwd, env), cwd })
  assert.equal(report.primary?.file?.disk.kind, 'ephemeral')
})

describe('a full disk', { concurrency: 2, skip: canMount ? false : 'only root can mount a small disk' }, () => {
  for (const [env, store] of [
    [{}, 'local; driver=sqlite'],
    [{ DATABASE_URL: 'sqlite:///./x.db' }, 'primary; driver=sqlite'],
  ] as const) {
    const as = store.split(';')[0]
    test(`answers reads and 507 to writes, and takes writes again when there is space (${as})`, async (t) => {
      const cwd = await homeOnSmallDisk(t)
      const service = await serve(t, { cwd, env: { ...env, RATE_LIMIT: '0' } })
      await look(service)
      fill(cwd)
      const refused = await writeUntilFull(service)
      assert.equal(refused.status, 507)
      assert.equal(refused.headers.get('holdfast-store'), store)
      const problem = await bodyOf(refused)
      assert.equal(problem.code, 'DISK_FULL')
      assert.ok(problem.hint.length > 0)
      for (let count = 0; count < 3; count += 1) assert.equal((await write(service)).status, 507)
      await assertReads(service, store)
      const { http, status, output } = await healthOf(service)
      assert.deepEqual([http, status, output], [200, 'warn', 'database:disk DISK_FULL'])
      rmSync(join(cwd, 'data/filler'))
      await until(async () => (await write(service)).status === 201, { withinMs: 5_000 })
      assert.equal((await look(service)).store, store)
      const hasRoom = async (): Promise<boolean> => !/DISK_FULL/.test((await healthOf(service)).output ?? '')
      await until(hasRoom, { withinMs: 10_000, everyMs: 50, what: 'the warning to end' })
    })
  }

  test('does not keep the local store from starting: its rows are read, and written when there is space', async (t) => {
    const cwd = await homeOnSmallDisk(t)
    const first = await serve(t, { cwd })
    const { id } = await bodyOf(await write(first))
    await first.end()
    fill(cwd)
    const service = await serve(t, { cwd, env: { RATE_LIMIT: '0' } })
    const found = await service.fetch(`/api/feedback/${id}`)
    assert.equal(found.status, 200, `${await found.text()}\n${service.output()}`)
    assert.equal(found.headers.get('holdfast-store'), 'local; driver=sqlite')
    assert.equal((await healthOf(service)).status, 'warn', 'it is known before the first write')
    const refused = await writeUntilFull(service)
    assert.equal(refused.status, 507, await refused.text())
    rmSync(join(cwd, 'data/filler'))
    await until(async () => (await write(service)).status === 201, { withinMs: 5_000 })
    assert.equal((await service.fetch(`/api/feedback/${id}`)).status, 200)
    await service.end()
    const again = await serve(t, { cwd })
    assert.equal((await again.fetch(`/api/feedback/${id}`)).status, 200)
    const { problems } = await statusOf(again)
    assert.deepEqual(
      problems.filter(({ severity }: { readonly severity: string }) => severity !== 'info'),
      [],
    )
  })

  test('at the start of a primary makes the fallback serve until there is space', async (t) => {
    const cwd = await homeOnSmallDisk(t)
    const env = { DATABASE_URL: 'sqlite:///./x.db' }
    const first = await serve(t, { cwd, env })
    const { id } = await bodyOf(await write(first))
    await first.end()
    fill(cwd)
    const service = await serve(t, { cwd, env })
    const list = await service.fetch('/api/feedback')
    assert.deepEqual([list.status, list.headers.get('holdfast-store')], [200, 'fallback; driver=sqlite'])
    const refused = await write(service)
    assert.deepEqual([refused.status, (await bodyOf(refused)).code], [503, 'STORE_READ_ONLY'])
    assert.equal((await healthOf(service)).status, 'warn')
    assert.equal((await statusOf(service)).database.why?.kind, 'disk-full')
    rmSync(join(cwd, 'data/filler'))
    await until(async () => (await healthOf(service)).store === 'primary', { withinMs: 20_000, everyMs: 100 })
    assert.equal((await service.fetch(`/api/feedback/${id}`)).status, 200)
  })

  test('that a journal fills by itself keeps the room to be emptied: all that was accepted is carried', {
    skip: noPostgres,
  }, async (t) => {
    const server = await startPostgres(t)
    const cwd = await homeOnSmallDisk(t)
    const service = await serve(t, { cwd, env: { DATABASE_URL: server.url(), RATE_LIMIT: '0' } })
    const store = async (): Promise<unknown> => (await healthOf(service)).store
    await write(service)
    await until(async () => (await store()) === 'primary', { withinMs: 20_000 })
    await server.kill()
    await until(async () => (await write(service)).headers.get('holdfast-durability')?.startsWith('journal'), {
      withinMs: 20_000,
      everyMs: 50,
    })
    const accepted: string[] = []
    const refused = await until(
      async () => {
        const answer = await write(service)
        const body = await bodyOf(answer)
        if (answer.status === 201) accepted.push(body.id)
        return answer.status === 201 ? null : { status: answer.status, code: body.code }
      },
      { withinMs: 10_000, everyMs: 1, what: 'the journal to be full' },
    )
    assert.deepEqual(refused, { status: 507, code: 'JOURNAL_FULL' })
    await server.start()
    // A disk so small has no room for the copy.
    const copyStopped = 'service:problems COPY_STOPPED'
    await until(
      async () => {
        const { status, output } = await healthOf(service)
        return status === 'pass' || output === copyStopped
      },
      { withinMs: 20_000, everyMs: 100, what: 'the journal to be carried' },
    )
    assert.equal(await store(), 'primary')
    const rows = new Set((await server.query('select id from feedback')).map(({ id }) => id))
    assert.deepEqual([accepted.length > 0, accepted.filter((id) => !rows.has(id))], [true, []])
    assert.equal((await service.fetch(`/api/feedback/${accepted[0]}`)).status, 200)
  })

  for (const [name, skip, begin, id, series] of [
    ['PostgreSQL', noPostgres, startPostgres, 'gen_random_uuid()', 'generate_series(1, 40000)'],
    [
      'MariaDB',
      noMariadb,
      startMariadb,
      'uuid()',
      '(select 1 from information_schema.columns as a, information_schema.columns as b limit 40000) as n',
    ],
  ] as const) {
    test(`of a fallback stops the copy of ${name}, and writes of clients come first`, { skip }, async (t) => {
      const server = await begin(t)
      const database = await server.createDatabase()
      const cwd = await homeOnSmallDisk(t, '96m')
      const env = { DATABASE_URL: server.url(database), RATE_LIMIT: '0', COPY_RATE: '50000' }
      const service = await serve(t, { cwd, env })
      await until(async () => (await write(service)).headers.get('holdfast-durability') === 'primary', {
        withinMs: 20_000,
      })
      const quoted = (column: string): string => (name === 'MariaDB' ? column : `"${column}"`)
      await server.query(
        `insert into feedback (id, rating, comment, ${quoted('createdAt')}, ${quoted('updatedAt')}, version)
         select ${id}, 3, repeat('x', 2000), current_timestamp, current_timestamp, 1 from ${series}`,
        database,
      )
      const isStopped = async (): Promise<boolean> => /COPY_STOPPED/.test((await healthOf(service)).output ?? '')
      await until(isStopped, { withinMs: 60_000, everyMs: 100, what: 'the copy to stop' })
      await server.kill()
      await until(async () => (await write(service)).headers.get('holdfast-durability')?.startsWith('journal'), {
        withinMs: 10_000,
        everyMs: 50,
      })
      for (let count = 0; count < 50; count += 1) assert.equal((await write(service)).status, 201)
    })
  }
})
