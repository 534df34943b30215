import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hostService } from '../../support/hosted.ts'
import { parseLog } from '../../support/log.ts'
import { ordinaryUid, type ProcessOptions, runProcess, startService } from '../../support/process.ts'
import { type Cleanup, cleanLater } from '../../support/temp.ts'
import {
  assertLocal,
  assertSaid,
  bodyOf,
  checkHere,
  checkJson,
  findProblem,
  hostAndLook,
  makeHome,
  serveAndLook,
} from '../sight.ts'
import { makeDatabase } from '../sqlite/files.ts'

describe('what other software leaves in the environment', { concurrency: 2 }, () => {
  test('a HOST that does not resolve is replaced by all interfaces, with an error', async (t) => {
    const sight = await serveAndLook(t, { env: { HOST: 'x86_64-conda-linux-gnu' } })
    assertLocal(sight)
    await assertSaid(sight, {
      code: 'HOST_UNRESOLVED',
      severity: 'error',
      setting: 'http.host',
      message: /x86_64-conda-linux-gnu/,
      suggestion: /HOST/,
    })
    assert.equal(sight.service.log().find(({ event }) => event === 'http.listening')?.host, '0.0.0.0')
  })

  test('the quotes and comments of an env file are not part of a value, and what only a shell expands is not used', async (t) => {
    const env = { HOST: '"127.0.0.1"', DATA_DIR: "'./data'  # the volume", COLLECTIONS_DIR: '~/collections' }
    const sight = await serveAndLook(t, { env })
    assertLocal(sight)
    assert.equal(sight.service.log().find(({ event }) => event === 'http.listening')?.host, '127.0.0.1')
    for (const setting of ['http.host', 'data.dir']) {
      await assertSaid(sight, { code: 'SETTING_REPAIRED', severity: 'warning', setting })
    }
    await assertSaid(sight, {
      code: 'SETTING_INVALID',
      severity: 'error',
      setting: 'collections.dir',
      message: /shell/,
    })
  })

  test('variables of other software and names given twice are named by the check', async (t) => {
    const cwd = await makeHome(t, { 'config/default.json': '{ "log": {}, "log": { "level": "warn" } }' })
    const env = {
      PGSSLMODE: 'verify-full',
      POSTGRES_URL: 'postgres://u:hunter2@h/d',
      SPACE_ID: 'me/s',
      HOST: 'localhost',
    }
    const check = await checkJson(t, { cwd, env })
    assert.equal(check.code, 0)
    for (const setting of ['PGSSLMODE', 'POSTGRES_URL']) {
      findProblem(check.problems, { code: 'SETTING_NOT_READ', severity: 'info', setting, suggestion: /DATABASE_URL/ })
    }
    findProblem(check.problems, { code: 'SETTING_DUPLICATE', severity: 'warning', message: /"log" twice/ })
    findProblem(check.problems, { code: 'HOST_LOOPBACK', severity: 'warning' })
    assert.doesNotMatch(check.text, /hunter2/)
  })

  test('a PORT that is taken is one sentence and exit 1', async (t) => {
    const rival = createServer()
    await new Promise<void>((resolve) => rival.listen(0, '127.0.0.1', resolve))
    cleanLater(t, () => void rival.close())
    const address = rival.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { code, stdout, stderr } = await runProcess(t, { env: { PORT: String(port) } })
    assert.equal(code, 1)
    const said = parseLog(stdout)
    assert.deepEqual(said.at(-1)?.event, 'service.failed', stdout)
    assert.equal(`${said.at(-1)?.msg}\n`, stderr)
    assert.ok(!said.some(({ event }) => event === 'service.closing' || event === 'service.closed'))
    assert.match(stderr, new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is used[^\\n]*\\.\\n$`))
  })

  test('a DATABASE_PORT of Kubernetes declares nothing', async (t) => {
    const env = { DATABASE_PORT: 'tcp://10.0.0.7:5432', DATABASE_PORT_5432_TCP: 'tcp://10.0.0.7:5432' }
    const sight = await serveAndLook(t, { env })
    assertLocal(sight)
    await assertSaid(sight, { code: 'KUBERNETES_PORT_IGNORED', severity: 'info', setting: 'database.port' })
    const check = await checkJson(t, { env })
    assert.equal(check.primary, null)
    assert.equal(check.code, 0)
    assert.equal(findProblem(check.problems, { code: 'KUBERNETES_PORT_IGNORED' }).origin, 'environment DATABASE_PORT')
  })

  test('./production.db of an earlier deployment is named with the line that would use it, and left alone', async (t) => {
    const cwd = await makeHome(t)
    const file = join(cwd, 'production.db')
    await makeDatabase(file)
    const bytes = readFileSync(file)
    const sight = await serveAndLook(t, { cwd })
    assertLocal(sight)
    const wanted = { code: 'LEGACY_DATABASE_FOUND', severity: 'info', suggestion: /SQLITE_ALLOW_PATHS=/ } as const
    await assertSaid(sight, wanted)
    const check = await checkJson(t, { cwd })
    assert.equal(check.code, 0)
    const { suggestion } = findProblem(check.problems, wanted)
    await sight.service.end()
    assert.ok(readFileSync(file).equals(bytes))
    assert.deepEqual(
      (await readdir(cwd)).filter((name) => name.startsWith('production')),
      ['production.db'],
    )
    const line = suggestion.replace('To use it: ', '').split(' ')
    const env = Object.fromEntries(line.map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
    const used = await serveAndLook(t, { cwd, env })
    assertLocal(used)
    assert.equal(used.status.database.store?.path, file)
    assert.deepEqual(used.problems, [])
  })
})

describe('a DATA_DIR that cannot be used', { concurrency: 2 }, () => {
  const blamed = { code: 'DATA_DIR_UNUSABLE', severity: 'error', setting: 'data.dir' } as const
  const places = {
    'a folder of somebody else': { dir: 'closed', ordinary: true, reason: /is not writable/ },
    'a folder below one of somebody else': { dir: 'closed/below', ordinary: true, reason: /is not writable/ },
    'a path below a file': { dir: 'file.txt/data', ordinary: false, reason: /below a file|is a file/ },
    'a file': { dir: 'file.txt', ordinary: false, reason: /is a file/ },
    'a path in /proc': { dir: '/proc/nope', ordinary: false, reason: /cannot be created/ },
    'a folder on a read-only kernel file system': { dir: '/sys/holdfast', ordinary: false, reason: /./ },
  } as const
  for (const [what, { dir, ordinary, reason }] of Object.entries(places)) {
    test(`because it is ${what} is passed over for the next place, with an error`, async (t) => {
      const cwd = await makeHome(t, { 'file.txt': 'text' })
      const isKernels = dir.startsWith('/')
      await mkdir(join(cwd, 'closed'))
      await chmod(join(cwd, 'closed'), 0o555)
      const options = { cwd, env: { DATA_DIR: dir }, ...(ordinary ? { uid: ordinaryUid } : {}) }
      const sight = ordinary ? await serveAndLook(t, options) : await hostAndLook(t, options)
      assertLocal(sight)
      const used = join(cwd, 'data/production.db')
      assert.equal(sight.status.database.store?.path, used)
      // The sight has an ADMIN_TOKEN, so that nothing is written at the start: the place is only looked at.
      if (!isKernels) await assertSaid(sight, { ...blamed, message: reason })
      await assertSaid(sight, { code: 'SQLITE_OTHER_FILE', severity: 'error', message: new RegExp(used) })
      const check = ordinary ? await checkJson(t, options) : await checkHere(cwd, options.env)
      // Root may write all folders of the kernel by their modes: that nothing can be made there shows when it is tried.
      if (!isKernels) {
        assert.equal(check.code, 2)
        findProblem(check.problems, { code: 'SQLITE_UNWRITABLE', severity: 'error' })
        findProblem(check.problems, { ...blamed, origin: 'environment DATA_DIR', message: reason })
        assert.equal(check.fallback?.path, used)
      }
      await sight.service.end()
      await assertTokenElsewhere(t, options, reason)
      assert.deepEqual(await readdir(join(cwd, 'closed')), [])
    })
  }
})

/** Without an ADMIN_TOKEN the directory is needed at the start, and said then. */
async function assertTokenElsewhere(
  t: Cleanup,
  options: ProcessOptions & { cwd: string },
  reason: RegExp,
): Promise<void> {
  const service = options.uid === undefined ? await hostService(t, options) : await startService(t, options)
  const token = readFileSync(join(options.cwd, 'data/admin-token'), 'utf8').trim()
  const { problems } = await bodyOf(await service.fetch('/status', { headers: { 'holdfast-token': token } }))
  await assertSaid({ service, problems }, { code: 'DATA_DIR_UNUSABLE', severity: 'error', message: reason })
}

test('blanks and quotes in the name of a database or a host are reported, whoever reads the address', async (t) => {
  const cwd = await makeHome(t)
  const parts = { DATABASE_HOST: 'db', DATABASE_USERNAME: 'u', DATABASE_PASSWORD: 'S3cret' }
  const unusual: readonly (readonly [RegExp, Readonly<Record<string, string>>])[] = [
    [/contains a blank;/, { ...parts, DATABASE_DRIVER: 'postgresql', DATABASE_NAME: 'my app' }],
    [/contains a quote;/, { ...parts, DATABASE_DRIVER: 'mysql', DATABASE_NAME: "o'brien" }],
    [/contains a blank;/, { DATABASE_URL: 'postgres://u:S3cret@db/my app' }],
    [/contains a blank and a quote;/, { DATABASE_URL: 'sqlite:///./my "app".db' }],
  ]
  for (const [message, env] of unusual) {
    const { problems, primary, text } = await checkHere(cwd, env)
    findProblem(problems, { code: 'ADDRESS_NAME_UNUSUAL', severity: 'warning', part: 'name', message })
    assert.ok(primary !== null && !text.includes('S3cret'))
  }
  for (const url of ['postgres://u:S3cret@db/my%20app', 'mysql://u:S3cret@db/o%27brien', 'sqlite:///./my%20app.db']) {
    const { problems } = await checkHere(cwd, { DATABASE_URL: url })
    assert.ok(!problems.some(({ code }) => code === 'ADDRESS_NAME_UNUSUAL'), url)
  }
  for (const host of ['my db', '"db', "d'b"]) {
    const { problems, primary } = await checkHere(cwd, {
      ...parts,
      DATABASE_DRIVER: 'mysql',
      DATABASE_NAME: 'app',
      DATABASE_HOST: host,
    })
    findProblem(problems, { code: 'ADDRESS_HOST_INVALID', severity: 'error', part: 'host' })
    assert.equal(primary, null)
  }
})
