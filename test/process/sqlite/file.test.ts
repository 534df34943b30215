import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import type { Hosted } from '../../support/hosted.ts'
import { ordinaryUid } from '../../support/process.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import {
  assertFallbackServes,
  assertLocal,
  assertPrimary,
  assertSaid,
  bodyOf,
  checkHere,
  checkJson,
  findProblem,
  healthOf,
  host,
  hostAndLook,
  look,
  lookAtReadOnly,
  makeHome,
  type Sight,
  serve,
  serveAndLook,
  statusOf,
} from '../sight.ts'
import { asidesOf, lockFile, makeDamaged, makeDatabase, makeNonsense } from './files.ts'

const asPrimary = { DATABASE_URL: 'sqlite:///./x.db' }
const asLocal = { FALLBACK_DATABASE_URL: 'sqlite:///./x.db' }

/** A folder with `data/x.db` at the place of the file. */
async function home(t: Cleanup): Promise<{ readonly cwd: string; readonly file: string }> {
  const cwd = await makeHome(t)
  await mkdir(join(cwd, 'data'))
  return { cwd, file: join(cwd, 'data/x.db') }
}

/** The fallback serves, to be read only, and why is said. */
async function assertStandIn(service: Hosted, kind: string, code: string | RegExp): Promise<void> {
  const sight = await lookAtReadOnly(service)
  assertFallbackServes(sight)
  const { why } = sight.status.database
  assert.equal(why?.kind, kind)
  assert.match(String(why?.code), typeof code === 'string' ? new RegExp(`^${code}$`) : code)
  assert.notEqual(why?.hint, '')
  const line = service.log().find((one) => one.level === 'warn' && one.event === 'connection.attempt.failed')
  assert.match(JSON.stringify(line), new RegExp(`"kind":"${kind}"`))
}

/** The last of the places: a folder of the service's own in the temporary directory. */
function assertInTemporary(sight: Sight, cwd: string, name: string): void {
  const path = String(sight.status.database.store?.path)
  assert.match(relative(cwd, path), new RegExp(`^tmp/holdfast-\\d+/${name}$`))
}

async function returns(service: Hosted): Promise<void> {
  await until(async () => (await healthOf(service)).store === 'primary', {
    withinMs: 20_000,
    everyMs: 100,
    what: 'the return to the primary',
  })
  assertPrimary(await look(service))
}

const broken = {
  'that is no database': { make: makeNonsense, code: 'SQLITE_NOTADB' },
  'that is damaged': { make: makeDamaged, code: /^SQLITE_CORRUPT/ },
} as const

describe('a file of SQLite', { concurrency: 2 }, () => {
  for (const [which, { make, code }] of Object.entries(broken)) {
    test(`${which} is set aside as it is where it is the local store, and a new one is made`, async (t) => {
      const { cwd, file } = await home(t)
      const bytes = await make(file)
      const before = await checkJson(t, { cwd, env: asLocal })
      const sight = await serveAndLook(t, { cwd, env: asLocal })
      assertLocal(sight)
      assert.equal(sight.status.database.store?.path, file)
      const [aside = '', ...more] = await asidesOf(file)
      assert.deepEqual(more, [])
      assert.ok(readFileSync(aside).equals(bytes))
      await assertSaid(sight, {
        code: 'SQLITE_SET_ASIDE',
        severity: 'warning',
        setting: 'fallback.url',
        message: new RegExp(`moved to ${aside}, and a new file was created`),
      })
      if (make === makeNonsense) findProblem(before.problems, { code: 'SQLITE_NOT_A_DATABASE', severity: 'warning' })
      assert.equal(before.code, 0)
      assert.deepEqual((await checkJson(t, { cwd, env: asLocal })).problems, [])
    })

    test(`${which} is not touched where it is the primary: the fallback serves until it is put right`, async (t) => {
      const { cwd, file } = await home(t)
      const bytes = await make(file)
      const check = await checkHere(cwd, asPrimary)
      if (make === makeNonsense) {
        findProblem(check.problems, { code: 'SQLITE_NOT_A_DATABASE', severity: 'error', message: /not touched/ })
        assert.equal(check.code, 2)
      }
      const service = await host(t, { cwd, env: asPrimary })
      await assertStandIn(service, 'corrupt', code)
      assert.deepEqual(await asidesOf(file), [])
      assert.ok(readFileSync(file).equals(bytes))
      await makeDatabase(join(cwd, 'whole.db'))
      await rename(join(cwd, 'whole.db'), file)
      await returns(service)
    })
  }

  for (const [env, assertServing] of [
    [asLocal, assertLocal],
    [asPrimary, assertPrimary],
  ] as const) {
    const as = Object.entries(env)[0]?.join('=')
    test(`that is empty is used as a new one by ${as}`, async (t) => {
      const { cwd, file } = await home(t)
      writeFileSync(file, '')
      const sight = await hostAndLook(t, { cwd, env })
      assertServing(sight)
      assert.equal(sight.status.database.store?.path, file)
      assert.deepEqual([...sight.problems, ...(await asidesOf(file))], [])
      assert.deepEqual((await checkHere(cwd, env)).problems, [])
    })
  }

  test("of somebody else's tables is used beside them", async (t) => {
    const { cwd, file } = await home(t)
    await makeDatabase(file)
    assertPrimary(await hostAndLook(t, { cwd, env: asPrimary }))
  })

  test('that is a directory is no primary: the fallback serves', async (t) => {
    const { cwd, file } = await home(t)
    await mkdir(file)
    const service = await host(t, { cwd, env: asPrimary })
    await assertStandIn(service, 'unwritable', 'SQLITE_NOT_A_FILE')
    const check = await checkHere(cwd, asPrimary)
    findProblem(check.problems, { code: 'SQLITE_NOT_A_FILE', severity: 'error', setting: 'database.url' })
    assert.equal(check.code, 2)
  })

  test('that is a directory is passed over by the local store: the next place serves', async (t) => {
    const { cwd, file } = await home(t)
    await mkdir(file)
    const sight = await serveAndLook(t, { cwd, env: asLocal })
    assertLocal(sight)
    assertInTemporary(sight, cwd, 'x.db')
    await assertSaid(sight, { code: 'SQLITE_OTHER_FILE', severity: 'error', setting: 'fallback.url' })
    const check = await checkJson(t, { cwd, env: asLocal })
    findProblem(check.problems, { code: 'SQLITE_NOT_A_FILE', severity: 'error' })
    findProblem(check.problems, { code: 'SQLITE_OTHER_FILE', severity: 'error' })
    assert.equal(check.code, 2)
    assert.equal(check.fallback?.path, sight.status.database.store?.path)
  })
})

describe('a local file that is lost while it serves', { concurrency: 2 }, () => {
  test('because its folder is away is waited for: no other place hides its rows', async (t) => {
    const { cwd, file } = await home(t)
    const service = await serve(t, { cwd, env: { ...asLocal, RATE_LIMIT: '0' } })
    const { id } = await bodyOf(await service.send('POST', '/api/feedback', { rating: 2 }))
    await rename(join(cwd, 'data'), join(cwd, 'away'))
    writeFileSync(join(cwd, 'data'), 'in the way')
    const write = () => service.send('POST', '/api/feedback', { rating: 1 })
    await until(async () => (await write()).status === 503, { withinMs: 10_000, what: 'the loss to be noticed' })
    const hasTried = () => service.log().some(({ event }) => event === 'connection.attempt.failed')
    await until(hasTried, { what: 'the try to open it again' })
    assert.equal((await write()).status, 503)
    assert.equal((await healthOf(service)).http, 503)
    assert.deepEqual(await readdir(join(cwd, 'tmp')), [])
    await rm(join(cwd, 'data'))
    await rename(join(cwd, 'away'), join(cwd, 'data'))
    await until(async () => (await write()).status === 201, { withinMs: 10_000, what: 'the return of the file' })
    assert.equal((await service.fetch(`/api/feedback/${id}`)).status, 200)
    assert.equal((await statusOf(service)).database.store?.path, file)
  })
})

describe('a place that this user cannot write', { concurrency: 2 }, () => {
  const uid = ordinaryUid

  test('is passed over by the local store, with an error', async (t) => {
    const { cwd } = await home(t)
    await chmod(join(cwd, 'data'), 0o555)
    const options = { cwd, env: asLocal, uid }
    const sight = await serveAndLook(t, options)
    assertLocal(sight)
    assertInTemporary(sight, cwd, 'x.db')
    await assertSaid(sight, {
      code: 'SQLITE_OTHER_FILE',
      severity: 'error',
      message: /configured file cannot be used/,
    })
    const check = await checkJson(t, options)
    findProblem(check.problems, { code: 'SQLITE_UNWRITABLE', severity: 'error' })
    assert.equal(check.code, 2)
    assert.equal(check.fallback?.path, sight.status.database.store?.path)
    assert.deepEqual(await readdir(join(cwd, 'data')), [])
  })

  for (const companion of ['-wal', '-journal']) {
    test(`because the ${companion} next to the file belongs to another user: check names the file that serves`, async (t) => {
      const { cwd, file } = await home(t)
      await makeDatabase(file)
      writeFileSync(file + companion, '')
      await chmod(file + companion, 0o400)
      const options = { cwd, env: asLocal, uid }
      const check = await checkJson(t, options)
      assert.equal(check.code, 2)
      findProblem(check.problems, { code: 'SQLITE_UNWRITABLE', message: new RegExp(`${companion}\\.$`) })
      const sight = await serveAndLook(t, options)
      assertLocal(sight)
      assert.equal(check.fallback?.path, sight.status.database.store?.path)
      assertInTemporary(sight, cwd, 'x.db')
    })
  }

  test('is no place for a primary: the fallback serves, and the primary as soon as it can be written', async (t) => {
    const { cwd } = await home(t)
    const closed = join(cwd, 'data/closed')
    await mkdir(closed)
    await chmod(closed, 0o555)
    const options = { cwd, env: { DATABASE_URL: 'sqlite:///./closed/x.db' }, uid }
    const service = await serve(t, options)
    await assertStandIn(service, 'unwritable', /./)
    const check = await checkJson(t, options)
    findProblem(check.problems, { code: 'SQLITE_UNWRITABLE', severity: 'error', setting: 'database.url' })
    assert.equal(check.code, 2)
    await chmod(closed, 0o755)
    await returns(service)
  })

  test('because the file is read-only: the fallback serves for the primary, which is left as it is', async (t) => {
    const { cwd, file } = await home(t)
    await makeDatabase(file)
    const bytes = readFileSync(file)
    await chmod(file, 0o444)
    const service = await serve(t, { cwd, env: asPrimary, uid })
    await assertStandIn(service, 'unwritable', /^SQLITE_READONLY/)
    assert.ok(readFileSync(file).equals(bytes))
    await chmod(file, 0o644)
    await returns(service)
  })
})

describe('a symbolic link that climbs out', { concurrency: 2 }, () => {
  for (const what of ['the file', 'a folder above it']) {
    test(`at ${what} is no primary: the fallback serves and nothing is written out there`, async (t) => {
      const [{ cwd, file }, outside] = [await home(t), await makeTempDir(t, 'outside')]
      const isFile = what === 'the file'
      await (isFile ? symlink(join(outside, 'y.db'), file) : symlink(outside, join(cwd, 'data/sub')))
      if (isFile) await makeDatabase(join(outside, 'y.db'))
      const names = await readdir(outside)
      const env = { DATABASE_URL: isFile ? asPrimary.DATABASE_URL : 'sqlite:///./sub/x.db' }
      const service = await host(t, { cwd, env })
      await assertStandIn(service, 'configuration', 'ADDRESS_PATH_OUTSIDE')
      assert.deepEqual(await readdir(outside), names)
      const check = await checkHere(cwd, env)
      findProblem(check.problems, { code: 'ADDRESS_PATH_OUTSIDE', severity: 'error', setting: 'database.url' })
    })

    test(`at ${what} is passed over by the local store`, async (t) => {
      const [{ cwd, file }, outside] = [await home(t), await makeTempDir(t, 'outside')]
      const isFile = what === 'the file'
      await (isFile ? symlink(join(outside, 'y.db'), file) : symlink(outside, join(cwd, 'data/sub')))
      const env = { FALLBACK_DATABASE_URL: isFile ? asPrimary.DATABASE_URL : 'sqlite:///./sub/x.db' }
      const sight = await serveAndLook(t, { cwd, env })
      assertLocal(sight)
      assertInTemporary(sight, cwd, isFile ? 'x.db' : 'sub/x.db')
      await assertSaid(sight, { code: 'SQLITE_OTHER_FILE', severity: 'error' })
      assert.deepEqual(await readdir(outside), [])
      findProblem((await checkHere(cwd, env)).problems, { code: 'ADDRESS_PATH_OUTSIDE', severity: 'error' })
    })
  }
})

describe('a file that another process has locked', { concurrency: 2 }, () => {
  test('is waited for by the local store, which writes nowhere else', async (t) => {
    const { cwd, file } = await home(t)
    await makeDatabase(file)
    const lock = await lockFile(t, file)
    const service = await serve(t, { cwd, env: asLocal })
    const waiting = service.send('POST', '/api/feedback', { rating: 4 })
    await until(async () => (await statusOf(service)).database.state !== 'DISCONNECTED')
    assert.equal((await service.fetch('/health/live')).status, 200)
    await lock.release()
    assert.equal((await waiting).status, 201)
    const sight = await look(service)
    assertLocal(sight)
    assert.equal(sight.status.database.store?.path, file)
  })

  test('does not answer as the primary: the fallback serves until it is released', async (t) => {
    const { cwd, file } = await home(t)
    await makeDatabase(file)
    const lock = await lockFile(t, file)
    const service = await serve(t, { cwd, env: { ...asPrimary, FALLBACK_TIMEOUT: '0.5 s' } })
    const sight = await lookAtReadOnly(service)
    assertFallbackServes(sight)
    assert.notEqual(sight.status.database.why, null)
    await lock.release()
    await returns(service)
  })

  for (const env of [asLocal, asPrimary]) {
    test(`while it serves (${Object.keys(env)}) reads are answered, writes are 503 in time, and taken when it is released`, async (t) => {
      const { cwd, file } = await home(t)
      const service = await serve(t, { cwd, env: { ...env, QUERY_TIMEOUT: '0.5 s' } })
      const { store } = await look(service)
      const lock = await lockFile(t, file)
      const write = () => service.send('POST', '/api/feedback', { rating: 4 })
      const refused = await write()
      assert.equal(refused.status, 503)
      assert.equal(JSON.parse(await refused.text()).code, 'STORE_BUSY')
      assert.ok(Number(refused.headers.get('retry-after')) >= 0)
      const list = await service.fetch('/api/feedback')
      assert.equal(list.status, 200)
      assert.equal(list.headers.get('holdfast-store'), store)
      await lock.release()
      await until(async () => (await write()).status === 201, { withinMs: 5_000 })
      assert.equal((await look(service)).store, store)
      assert.ok(existsSync(file))
    })
  }
})
