import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { runProcess } from '../../support/process.ts'
import { checkHere, checkJson, findProblem, makeHome, serve, statusOf } from '../sight.ts'

const problemKeys = ['code', 'severity', 'setting', 'origin', 'part', 'message', 'suggestion']

describe('holdfast check --json', { concurrency: 2 }, () => {
  test('prints primary, fallback, archive, settings, problems and copy in the documented shape', async (t) => {
    const cwd = await makeHome(t)
    const env = { DATABASE_URL: 'sqlite:///./x.db?timeout=5', RATE_LIMIT: 'lots' }
    const { code, text, problems } = await checkJson(t, { cwd, env })
    assert.equal(code, 2)
    const report = JSON.parse(text)
    assert.deepEqual(Object.keys(report), ['primary', 'fallback', 'archive', 'settings', 'problems', 'copy'])
    const { primary, fallback, settings, copy } = report
    assert.match(primary.disk, /^(durable|ephemeral|unknown)$/)
    assert.deepEqual(primary, {
      disk: primary.disk,
      path: join(cwd, 'data/x.db'),
      driver: 'sqlite',
      host: null,
      port: null,
      database: join(cwd, 'data/x.db'),
      user: null,
      tls: null,
      label: `sqlite ${join(cwd, 'data/x.db')}`,
    })
    assert.deepEqual(Object.keys(fallback), ['driver', 'path', 'disk', 'label'])
    assert.equal(fallback.path, join(cwd, 'data/production.db'))
    assert.match(fallback.disk, /^(durable|ephemeral|unknown)$/)
    assert.deepEqual(
      copy.map(({ why, ...line }: { why: string }) => [line, typeof why]),
      [[{ collection: 'feedback', complete: false, asOf: null, rows: 0, bytes: 0 }, 'string']],
    )
    for (const setting of settings) assert.deepEqual(Object.keys(setting), ['name', 'value', 'origin'])
    assert.equal(problems.length, 2)
    assert.deepEqual(
      problems.map(({ driver }) => driver),
      [undefined, 'sqlite'],
    )
    for (const { driver, ...problem } of problems) assert.deepEqual(Object.keys(problem), problemKeys, driver)
  })

  test('exits 0 when nothing is worse than a warning, with null for a primary that is not declared', async (t) => {
    const { code, text, problems } = await checkJson(t, { env: { FALLBACK_DATABASE_URL: 'sqlite::memory:' } })
    assert.equal(code, 0)
    const { primary, fallback } = JSON.parse(text)
    assert.equal(primary, null)
    assert.equal(fallback.path, null)
    assert.deepEqual(
      problems.map(({ severity }) => severity),
      ['warning'],
    )
  })

  test('exits 2 whenever a value was not used or replaced, as the service would start', async (t) => {
    const cwd = await makeHome(t, { file: 'in the way', 'admin/admin-token': 'short' })
    const rows: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['DATA_DIR_UNUSABLE', { DATA_DIR: 'file' }],
      ['SETTING_MISSPELT', { DATABSE_URL: 'sqlite:x.db' }],
      ['SETTING_MISSPELT', { LOG_LEVL: 'debug' }],
      ['ADDRESS_TLS_INVALID', { DATABASE_URL: 'postgres://u:p@h/x?ssl_verison=3' }],
      ['ADDRESS_TLS_INVALID', { DATABASE_URL: 'mysql://u:p@h/x?sslfoo=yes' }],
      ['HOST_UNRESOLVED', { HOST: '203.0.113.7' }],
      ['SQLITE_OTHER_FILE', { FALLBACK_DATABASE_URL: 'sqlite:///./below/x.db', DATA_DIR: 'file' }],
    ]
    for (const [code, env] of rows) {
      const check = await checkHere(cwd, env)
      assert.equal(check.code, 2, JSON.stringify(env))
      findProblem(check.problems, { code, severity: 'error' })
    }
    const locked = await checkHere(cwd, { DATA_DIR: 'admin', ADMIN_TOKEN: undefined })
    findProblem(locked.problems, { code: 'ADMIN_TOKEN_UNUSABLE', severity: 'warning' })
    const strict = await runProcess(t, { cwd, env: { DATA_DIR: 'file', CONFIG_STRICT: 'true' } })
    assert.equal(strict.code, 2)
    assert.match(strict.stderr, /DATA_DIR_UNUSABLE data\.dir: /)
  })

  test('has no fallback when it is switched off', async (t) => {
    const { text } = await checkJson(t, { env: { DATABASE_URL: 'sqlite:x.db', ENABLE_FALLBACK: 'false' } })
    assert.equal(JSON.parse(text).fallback, null)
  })
})

test('what is declared is in /status before anything was asked for', async (t) => {
  const service = await serve(t, { env: { DATABASE_URL: 'sqlite:x.db' } })
  const { database } = await statusOf(service)
  assert.deepEqual([database.state, database.declared], ['DISCONNECTED', true])
})
