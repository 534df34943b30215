import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { cliEntry, runProcess } from '../support/process.ts'
import { type Files, makeTempDir } from '../support/temp.ts'

/** Runs the command line in an empty folder with nothing in the environment but what is given. */
async function holdfast(t: TestContext, args: readonly string[], env: Record<string, string> = {}, files: Files = {}) {
  const cwd = await makeTempDir(t, 'cli')
  const clean = { PORT: undefined, HOST: undefined, LOG_FORMAT: undefined }
  const ended = await runProcess(t, { cwd, files, args: [cliEntry, ...args], env: { ...clean, ...env } })
  return { ...ended, cwd }
}

interface Json {
  primary: Record<string, unknown> | null
  archive: string | null
  fallback: Record<string, unknown> | null
  settings: { name: string; value: unknown; origin: string }[]
  problems: { code: string; severity: string; setting: string; origin: string | null; part: string | null }[]
}

async function checkJson(t: TestContext, env: Record<string, string> = {}, files: Files = {}) {
  const { code, stdout, stderr, cwd } = await holdfast(t, ['check', '--json'], env, files)
  assert.equal(stderr, '')
  const json: Json = JSON.parse(stdout)
  return { code, json, cwd, stdout, codes: json.problems.map((problem) => problem.code) }
}

describe('holdfast check', () => {
  it('finds nothing wrong with nothing, opens no database and makes no file', async (t) => {
    const { code, json, cwd } = await checkJson(t)
    assert.equal(code, 0)
    assert.deepEqual(Object.keys(json), ['primary', 'fallback', 'archive', 'settings', 'problems'])
    assert.equal(json.primary, null)
    assert.equal(json.archive, null)
    const path = join(cwd, 'data/production.db')
    assert.deepEqual(Object.keys(json.fallback ?? {}), ['driver', 'path', 'disk', 'label'])
    assert.equal(json.fallback?.driver, 'sqlite')
    assert.equal(json.fallback?.path, path)
    assert.match(String(json.fallback?.disk), /^(durable|ephemeral)$/)
    assert.match(String(json.fallback?.label), /production\.db/)
    assert.deepEqual(
      json.problems.map(({ code, severity }) => [code, severity]),
      [['COLLECTIONS_NOT_FOUND', 'info']],
    )
    const port = json.settings.find(({ name }) => name === 'http.port')
    assert.deepEqual(port, { name: 'http.port', value: 7860, origin: 'default' })
    assert.ok(json.settings.some(({ name }) => name === 'plugins.sqlite.sync'))
    assert.deepEqual(await readdir(cwd), [])
  })

  it('ends with 2, and says so, when the driver of an address is not loaded', async (t) => {
    const env = { DRIVERS: 'sqlite', DATABASE_URL: 'postgres://me:S3cr3t@db:5432/app' }
    const { code, json, codes, stdout } = await checkJson(t, env)
    assert.equal(code, 2)
    assert.equal(json.primary, null)
    assert.equal(json.fallback?.driver, 'sqlite')
    assert.deepEqual(codes, ['ADDRESS_DRIVER_NOT_LOADED', 'COLLECTIONS_NOT_FOUND'])
    assert.deepEqual(Object.keys(json.problems[0] ?? {}), [
      'code',
      'severity',
      'setting',
      'origin',
      'part',
      'message',
      'suggestion',
    ])
    assert.equal(json.problems[0]?.setting, 'database.url')
    assert.equal(json.problems[0]?.origin, 'environment DATABASE_URL')
    assert.doesNotMatch(stdout, /S3cr3t/)
  })

  it('names the driver that read a wrong address', async (t) => {
    const { json } = await checkJson(t, { DATABASE_URL: 'postgres://me:S3cr3t@db:99999/app' })
    const [problem] = json.problems as readonly { code: string; driver?: string }[] // As `Problem` has it.
    assert.deepEqual([problem?.code, problem?.driver], ['ADDRESS_PORT_INVALID', 'postgresql'])
  })

  it('reports a driver that fails outside of its import, as the service does, and shows no secret of it', async (t) => {
    const files = { 'stray.mjs': "export default Promise.reject(new Error('postgres://u:S3cr3t@h/d'))" }
    const { code, stdout, stderr } = await holdfast(t, ['check', '--json'], { DRIVERS: 'sqlite,./stray.mjs' }, files)
    assert.equal(code, 2)
    assert.ok((JSON.parse(stdout) as Json).problems.some((problem) => problem.code === 'DRIVER_INVALID'))
    assert.equal(stderr, 'holdfast: an error outside of the command: postgres://u:***@h/d\n')
  })

  it('shows a declared SQLite primary beside its fallback', async (t) => {
    const { code, json } = await checkJson(t, { DATABASE_URL: 'sqlite:///./mine.db' })
    assert.equal(code, 0)
    const { driver, host, port, user, tls, database } = json.primary ?? {}
    assert.deepEqual([driver, host, port, user, tls], ['sqlite', null, null, null, null])
    assert.match(String(database), /data\/mine\.db$/)
    assert.match(String(json.fallback?.path), /data\/production\.db$/)
  })

  it('lists what is wrong in every layer at once, and uses the rest', async (t) => {
    const { code, json, codes } = await checkJson(
      t,
      { PORT: 'many', DRIVERS: 'sqlit,./absent', DATABASE_URL: '"sqlite:///./a.db"', SQLITE_SYNC: 'perhaps' },
      { 'config/default.json': '{"database": {"poolSiz": 3}}', 'config/collections/bad.json': '{' },
    )
    assert.equal(code, 2)
    assert.match(String(json.primary?.database), /a\.db$/)
    const expected = [
      'SETTING_UNKNOWN',
      'SETTING_INVALID',
      'DRIVER_NOT_FOUND',
      'DRIVER_ADDED',
      'ADDRESS_REPAIRED',
      'COLLECTION_INVALID',
    ]
    for (const one of expected) assert.ok(codes.includes(one), `${one} is in ${codes}`)
    assert.equal(codes.filter((one) => one === 'SETTING_INVALID').length, 2)
    assert.equal(codes.filter((one) => one === 'DRIVER_NOT_FOUND').length, 2)
  })

  it('reads an address and a setting of a driver from secret files', async (t) => {
    const files = { 'secret/url': 'sqlite:///./hidden.db\n', 'secret/sync': 'full\n' }
    const env = { DATABASE_URL_FILE: 'secret/url', SQLITE_SYNC_FILE: 'secret/sync' }
    const { code, json } = await checkJson(t, env, files)
    assert.equal(code, 0)
    assert.match(String(json.primary?.database), /hidden\.db$/)
    const sync = json.settings.find(({ name }) => name === 'plugins.sqlite.sync')
    assert.deepEqual(sync, { name: 'plugins.sqlite.sync', value: 'full', origin: 'secret/sync (SQLITE_SYNC_FILE)' })
  })

  it('names the database of an earlier deployment with the line that would use it, and leaves it alone', async (t) => {
    const { code, json, cwd } = await checkJson(t, {}, { 'production.db': 'rows of old' })
    assert.equal(code, 0)
    assert.deepEqual(await readdir(cwd), ['production.db'])
    const problems: { code: string; severity: string; suggestion?: string }[] = json.problems
    const problem = problems.find(({ code }) => code === 'LEGACY_DATABASE_FOUND')
    assert.equal(problem?.severity, 'info')
    assert.match(
      problem?.suggestion ?? '',
      new RegExp(`SQLITE_ALLOW_PATHS=${cwd} FALLBACK_DATABASE_URL=sqlite:///${cwd}/production.db`),
    )
  })

  it('has a person read the same', async (t) => {
    const { code, stdout } = await holdfast(t, ['check'], {
      DATABASE_URL: 'mssql://me:S3cr3t@db/app',
      LOG_LEVEL: 'debug',
    })
    assert.equal(code, 2)
    assert.match(stdout, /^Databases\n {2}primary +declared, but not usable/)
    assert.match(stdout, /fallback +sqlite .*production\.db/)
    assert.match(stdout, /log\.level +debug +environment LOG_LEVEL/)
    assert.match(stdout, /error +ADDRESS_SCHEME_UNKNOWN {2}database\.url \(environment DATABASE_URL\)/)
    assert.match(stdout, /\n1 error, 0 warnings, 1 note\.\n$/)
    // Not a terminal: no colours.
    assert.doesNotMatch(stdout, new RegExp(`S3cr3t|${String.fromCharCode(27)}`))
  })
})

describe('holdfast', () => {
  it('lists every setting, masked, with its origin', async (t) => {
    const { code, stdout } = await holdfast(t, ['config'], { ADMIN_TOKEN: 'S3cr3t', PORT: '8080' })
    assert.equal(code, 0)
    assert.match(stdout, /^ {2}http\.port +8080 +environment PORT$/m)
    assert.match(stdout, /^ {2}admin\.token +\*\*\* +environment ADMIN_TOKEN$/m)
    assert.match(stdout, /^ {2}http\.host +0\.0\.0\.0 +default$/m)
    assert.doesNotMatch(stdout, /S3cr3t/)
  })

  it('prints the schema of the settings files, its release and its commands', async (t) => {
    const schema = await holdfast(t, ['config', '--schema'])
    assert.equal(JSON.parse(schema.stdout).title, 'Holdfast settings')
    assert.match((await holdfast(t, ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
    const help = await holdfast(t, ['--help'])
    assert.equal(help.code, 0)
    assert.match(help.stdout, /^Usage: holdfast/)
  })

  it('answers wrong use with one sentence and 1', async (t) => {
    const rows: readonly [readonly string[], RegExp][] = [
      [['chekc'], /unknown command "chekc"; did you mean "check"\?/],
      [['constructor'], /unknown command "constructor"/],
      [['check', '--jsn'], /unknown option '--jsn'/],
      [['check', '--schema'], /"check" has no option "--schema"/],
      [['check', 'this'], /"check" accepts no argument "this"/],
      [['check', '--json=yes'], /json/],
    ]
    for (const [args, message] of rows) {
      const { code, stdout, stderr } = await holdfast(t, args)
      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      assert.equal(stderr.trim().split('\n').length, 1)
    }
  })
})
