import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { repository, runProcess, startService } from '../../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const cleanup = cleanupOf(after)
/** An application with Holdfast installed in `node_modules`: the build, without sources. */
let app = ''
let holdfast = ''

before(async () => {
  const built = await runProcess(cleanup, { cwd: repository, args: ['src/cli/build.js', '--stale'], withinMs: 60_000 })
  assert.equal(built.code, 0, built.stderr)
  app = await makeTempDir(cleanup, 'application')
  holdfast = join(app, 'node_modules/holdfast')
  mkdirSync(join(holdfast, 'src'), { recursive: true })
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    symlinkSync(join(repository, 'node_modules', name), join(app, 'node_modules', name))
  }
  cpSync(join(repository, 'dist'), join(holdfast, 'dist'), {
    recursive: true,
    filter: (source) => !source.startsWith(join(repository, 'dist/cache')),
  })
  cpSync(join(repository, 'package.json'), join(holdfast, 'package.json'))
  cpSync(join(repository, 'src/cli'), join(holdfast, 'src/cli'), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  })
  cpSync(join(repository, 'config/examples/drivers'), join(app, 'drivers'), { recursive: true })
})

/** A command of the installed package, the build of the repository, or its sources, run in the application's folder. */
function run(from: string, args: readonly string[], env: Record<string, string>) {
  return runProcess(cleanup, { cwd: app, args: [from, ...args], env })
}

const fromWhere: readonly (readonly [string, () => string])[] = [
  ['an installed package', () => join(holdfast, 'src/cli/holdfast.js')],
  ['the build', () => join(repository, 'dist/cli.js')],
  ['the sources', () => join(repository, 'src/cli/main.ts')],
]

describe('a driver of a third party', { concurrency: 2 }, () => {
  for (const [what, entry] of fromWhere) {
    test(`is found by every command from ${what}`, async () => {
      const env = { DRIVERS: './drivers/notebook', DATABASE_URL: 'notebook:notes.db' }
      const check = await run(entry(), ['check', '--json', '--connect'], env)
      const report = JSON.parse(check.stdout)
      assert.deepEqual([check.code, report.primary.driver, check.stderr], [0, 'notebook', ''], check.stdout)
      assert.equal(report.connection.primary.outcome, 'not-tried')
      if (what === 'the build') return
      const config = await run(entry(), ['config', '--json'], env)
      const [drivers] = JSON.parse(config.stdout).filter(({ name }: { name: string }) => name === 'drivers')
      assert.deepEqual(drivers.value, ['./drivers/notebook'])
    })
  }
})

describe('a server of a third-party driver', { skip: noPostgres }, () => {
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  test('is reached by check --connect of an installed package', async () => {
    const url = server.url(await server.createDatabase()).replace(/^\w+:/, 'ledger:')
    const env = { DRIVERS: 'sqlite,./drivers/ledger', DATABASE_URL: url }
    const { code, stdout } = await run(join(holdfast, 'src/cli/holdfast.js'), ['check', '--json', '--connect'], env)
    assert.equal(code, 0, stdout)
    assert.equal(JSON.parse(stdout).connection.primary.outcome, 'reached', stdout)
  })
})

describe('a driver in the folder plugins', () => {
  const page = readFileSync(join(repository, 'plugins/README.md'), 'utf8')
  const [, code = ''] = /## A first driver[\s\S]*?```js\n([\s\S]*?)```/.exec(page) ?? []
  const env = { DATABASE_URL: 'jotter:notes', FALLBACK_DATABASE_URL: 'jotter:spare', DATA_DIR: 'not/there/yet' }

  for (const [index, path] of ['jotter/jotter.mjs', 'jotter.js'].entries()) {
    test(`is found by its name as ${path}`, async (t) => {
      const name = `jotter${'ab'[index]}`
      const named = code.replace("name: 'jotter'", `name: '${name}'`)
      const file = join(holdfast, 'plugins', path.replaceAll('jotter', name))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, named)
      const { stdout } = await run(join(holdfast, 'src/cli/holdfast.js'), ['check', '--json'], {
        ...env,
        DRIVERS: name,
      })
      assert.equal(JSON.parse(stdout).primary?.driver, name, stdout)
      if (index > 0) return
      const service = await startService(t, {
        args: [join(holdfast, 'src/cli/holdfast.js')],
        env: { ...env, DRIVERS: name, ADMIN_TOKEN: 'a-token-so-that-no-folder-is-made' },
      })
      assert.equal(existsSync(join(service.dir, 'not')), false)
      const created = await service.send('POST', '/api/feedback', { rating: 5 })
      assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, `primary; driver=${name}`])
    })
  }

  test('that does not exist is not said to be meant', async () => {
    mkdirSync(join(holdfast, 'plugins/jot'), { recursive: true })
    const { stdout } = await run(join(holdfast, 'src/cli/holdfast.js'), ['check', '--json'], { DRIVERS: 'jot' })
    const [problem] = JSON.parse(stdout).problems
    assert.equal(problem.code, 'DRIVER_NOT_FOUND')
    assert.doesNotMatch(problem.suggestion, /Did you mean "jot"/)
  })
})

const oldNode = findOldNode()

test('the library says in one sentence that a Node is too old', {
  skip: oldNode === null && 'no old Node',
}, async () => {
  const args = ['--input-type=module', '-e', "import 'holdfast'"]
  const { code, stderr } = await runProcess(cleanup, { cwd: app, command: oldNode ?? '', args })
  assert.equal(code, 1)
  const [sentence, ...more] = stderr.split('\n').filter((line) => /^\w*Error/.test(line))
  assert.match(sentence ?? '', /^Error: Holdfast needs Node 22\.17 or newer; this is Node \d+\.\d+\.\d+\.$/)
  assert.deepEqual(more, [])
})

/** A Node on the path that is older than the library accepts. */
function findOldNode(): string | null {
  const found = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'))
  const old = found.find((path) => {
    const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    return /^v(?:1\d|20|21)\./.test(stdout ?? '')
  })
  return old ?? null
}

test('a failure of a driver names its cause in the log', async (t) => {
  const service = await startService(t, {
    cwd: app,
    files: { 'drivers/broken/broken.mjs': brokenDriver },
    env: { DRIVERS: 'sqlite,./drivers/broken', DATABASE_URL: 'broken://x', DATABASE_BOOT: 'eager' },
  })
  const failed = await until(() => service.log().find(({ event }) => event === 'connection.attempt.failed'), {
    what: 'the failure in the log',
  })
  assert.match(JSON.stringify(failed.err), /"message":"the disk said no to broken:\/\/u:\*\*\*@x"/, service.output())
})

const brokenDriver = `
const shown = { host: null, port: null, database: null, user: null, tls: null }
export const driver = {
  contract: 1, name: 'broken', schemes: ['broken'],
  parse: () => ({ target: { driver: 'broken', id: 'broken', ...shown }, problems: [] }),
  describe: () => 'broken',
  classify: () => ({ kind: 'unreachable', code: 'NO', summary: 'It does not open.', hint: 'See the log.', ambiguous: false }),
  connect: async () => { throw new Error('the disk said no to broken://u:secret@x') },
}
`
