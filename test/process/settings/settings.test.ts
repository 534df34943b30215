import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ordinaryUid, type ProcessOptions, runProcess } from '../../support/process.ts'
import type { Cleanup, Files } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import {
  adminToken,
  assertFallback,
  assertLocal,
  assertSaid,
  bodyOf,
  type Check,
  checkHere,
  checkJson,
  findProblem,
  hostAndLook,
  makeHome,
  type Sight,
  serve,
  serveAndLook,
  type Wanted,
} from '../sight.ts'

/** A bad input, and what a user must be told of it. */
interface Case {
  readonly given: string
  readonly env?: ProcessOptions['env']
  readonly files?: Files
  /** Makes what files alone cannot. */
  readonly prepare?: (dir: string) => Promise<void>
  /** Runs as an ordinary user, who may not read everything. */
  readonly ordinary?: boolean
  /** Served by a process, as those of an ordinary user are. */
  readonly isProcess?: true
  readonly wanted: readonly Wanted[]
  /** The values that are in force. */
  readonly values?: Readonly<Record<string, unknown>>
  /** Collections that are served beside `feedback`. */
  readonly collections?: readonly string[]
  /** An address was given, only not one that can be used. */
  readonly declared?: boolean
}

/** Serves and checks one case in the same folder, and asserts what every case must hold. */
async function meet(t: Cleanup, given: Case): Promise<{ readonly sight: Sight; readonly check: Check }> {
  const { env = {}, files = {}, prepare, ordinary = false, isProcess = ordinary } = given
  const cwd = await makeHome(t, files)
  const options = { env, cwd, ...(ordinary ? { uid: ordinaryUid } : {}) }
  await prepare?.(cwd)
  const sight = isProcess ? await serveAndLook(t, options) : await hostAndLook(t, options)
  const check = ordinary ? await checkJson(t, options) : await checkHere(cwd, env)
  for (const wanted of given.wanted) {
    await assertSaid(sight, wanted)
    assertOrigin(findProblem(check.problems, wanted).origin, wanted)
  }
  for (const [name, value] of Object.entries(given.values ?? {})) {
    for (const { settings } of [sight.status, check]) {
      assert.deepEqual(settings.find((line) => line.name === name)?.value, value, name)
    }
  }
  const hasErrors = check.problems.some(({ severity }) => severity === 'error')
  assert.equal(check.code, hasErrors ? 2 : 0)
  return { sight, check }
}

function assertOrigin(seen: unknown, { origin }: Wanted): void {
  if (typeof origin === 'string') assert.equal(seen, origin)
  else if (origin !== undefined) assert.match(String(seen), origin)
}

describe('a DATABASE_URL that says nothing', { concurrency: 2 }, () => {
  for (const url of [undefined, '', '   \t', 'null', 'undefined', 'None', ' none ', '""']) {
    test(`${JSON.stringify(url) ?? 'unset'} makes SQLite the database, with a line of information and no problem`, async (t) => {
      const { sight, check } = await meet(t, {
        given: 'nothing',
        env: { DATABASE_URL: url },
        wanted: [],
        ...(url === undefined || url === 'null' ? { isProcess: true } : {}),
      })
      assertLocal(sight)
      assert.deepEqual(sight.problems, [])
      assert.deepEqual(check.problems, [])
      assert.equal(check.code, 0)
      assert.equal(check.primary, null)
      assert.equal(check.fallback?.path, join(sight.service.dir, 'data/production.db'))
      const line = sight.service.log().find((one) => one.event === 'database.undeclared')
      assert.equal(line?.level, 'info')
      assert.match(String(line?.msg), url?.trim() ? /DATABASE_URL is blank/ : /DATABASE_URL is (not set|blank)/)
      assert.ok(sight.service.log().some((one) => one.event === 'store.opened' && one.store === 'local'))
      assert.deepEqual(
        sight.service.log().filter(({ level }) => level !== 'info'),
        [],
      )
    })
  }
})

const cases: readonly Case[] = [
  {
    given: 'malformed JSON in config/default.json',
    isProcess: true,
    files: { 'config/default.json': '{\n  "http": { "port": 1,, }\n}' },
    wanted: [
      {
        code: 'FILE_INVALID',
        severity: 'error',
        setting: 'config/default.json',
        origin: 'config/default.json',
        part: '2:23',
        message: /line 2, column 23/,
        suggestion: /Fix the JSON/,
      },
    ],
    values: { 'http.rateLimit': 60 },
  },
  {
    given: 'wrong types, values out of range and unknown keys in a settings file',
    files: {
      'config/default.json': JSON.stringify({
        http: { rateLimit: 'many', maxActiveSessions: 0, prot: 80 },
        fallback: { retryDelayMs: 99_999, conditions: ['nonsense'] },
        databse: { url: 'x' },
        log: { requests: false },
      }),
    },
    wanted: [
      {
        code: 'SETTING_INVALID',
        severity: 'error',
        setting: 'http.rateLimit',
        origin: 'config/default.json',
        message: /many/,
      },
      { code: 'SETTING_INVALID', severity: 'error', setting: 'http.maxActiveSessions', origin: 'config/default.json' },
      { code: 'SETTING_INVALID', severity: 'error', setting: 'fallback.retryDelayMs', origin: 'config/default.json' },
      { code: 'SETTING_INVALID', severity: 'error', setting: 'fallback.conditions', origin: 'config/default.json' },
      { code: 'SETTING_UNKNOWN', setting: 'http.prot', origin: 'config/default.json', suggestion: /http\.port/ },
      { code: 'SETTING_UNKNOWN', setting: 'databse', origin: 'config/default.json', suggestion: /database/ },
    ],
    values: {
      'http.rateLimit': 60,
      'http.maxActiveSessions': 512,
      'fallback.retryDelayMs': 500,
      'log.requests': false,
    },
  },
  {
    given: 'wrong types and values out of range in the environment',
    isProcess: true,
    env: {
      RATE_LIMIT: 'lots',
      MAX_RETRIES_PRIMARY: '6',
      ENABLE_FALLBACK: 'perhaps',
      DATABASE_BOOT: 'sometimes',
      LOG_LEVEL: 'loud',
      FALLBACK_TIMEOUT: '0',
      QUERY_TIMEOUT: '3 s',
    },
    wanted: [
      { code: 'SETTING_INVALID', setting: 'http.rateLimit', origin: 'environment RATE_LIMIT', message: /lots/ },
      { code: 'SETTING_INVALID', setting: 'fallback.maxRetriesPrimary', origin: 'environment MAX_RETRIES_PRIMARY' },
      { code: 'SETTING_INVALID', setting: 'fallback.enabled', origin: 'environment ENABLE_FALLBACK' },
      { code: 'SETTING_INVALID', setting: 'database.boot', suggestion: /lazy.*eager.*required/ },
      { code: 'SETTING_INVALID', setting: 'log.level', origin: 'environment LOG_LEVEL' },
      { code: 'SETTING_INVALID', setting: 'fallback.timeoutS', origin: 'environment FALLBACK_TIMEOUT' },
    ],
    values: {
      'http.rateLimit': 60,
      'fallback.maxRetriesPrimary': 2,
      'fallback.enabled': true,
      'database.boot': 'lazy',
      'log.level': 'info',
      'fallback.timeoutS': 5,
      'database.queryTimeoutS': 3,
    },
  },
  {
    given: 'a CONFIG_FILE that is not there',
    env: { CONFIG_FILE: 'nowhere/settings.json', RATE_LIMIT: '7' },
    wanted: [
      {
        code: 'FILE_UNREADABLE',
        severity: 'error',
        setting: 'nowhere/settings.json',
        message: /does not exist/,
        suggestion: /Correct the path/,
      },
    ],
    values: { 'http.rateLimit': 7 },
  },
  {
    given: 'a CONFIG_FILE that is a directory',
    env: { CONFIG_FILE: 'config/collections' },
    wanted: [{ code: 'FILE_UNREADABLE', severity: 'error', message: /is a directory/ }],
  },
  {
    given: 'a CONFIG_FILE that this user may not read',
    env: { CONFIG_FILE: 'secret.json' },
    files: { 'secret.json': '{"http":{"rateLimit":7}}' },
    ordinary: true,
    prepare: (dir) => chmod(join(dir, 'secret.json'), 0o000),
    wanted: [{ code: 'FILE_UNREADABLE', severity: 'error', message: /is not readable by this user/ }],
    values: { 'http.rateLimit': 60 },
  },
  {
    given: 'a CONFIG_FILE that is huge',
    env: { CONFIG_FILE: 'huge.json' },
    files: { 'huge.json': `{"http":{"rateLimit":7},"x":"${'x'.repeat(2 * 1024 * 1024)}"}` },
    wanted: [{ code: 'FILE_UNREADABLE', severity: 'error', message: /larger than/ }],
    values: { 'http.rateLimit': 60 },
  },
  {
    given: 'a CONFIG_FILE that is no UTF-8',
    env: { CONFIG_FILE: 'latin1.json' },
    files: { 'latin1.json': Buffer.from('{"http":{"rateLimit":7},"x":"\xe9"}', 'latin1') },
    wanted: [{ code: 'FILE_UNREADABLE', severity: 'error', message: /not UTF-8/ }],
  },
  {
    given: 'byte order marks',
    env: { CONFIG_FILE: 'bom.json' },
    files: { 'bom.json': '\uFEFF{"http":{"rateLimit":7}}' },
    wanted: [],
    values: { 'http.rateLimit': 7 },
  },
  {
    given: 'a CONFIG_FILE that is a device',
    env: { CONFIG_FILE: '/dev/zero' },
    wanted: [{ code: 'FILE_UNREADABLE', severity: 'error', message: /not a regular file/ }],
  },
  {
    given: 'secret files that cannot be read',
    env: { DATABASE_URL_FILE: 'config/nowhere', DATABASE_PASSWORD_FILE: 'config', LOG_LEVEL_FILE: 'empty' },
    files: { empty: '' },
    declared: true,
    wanted: [
      {
        code: 'FILE_UNREADABLE',
        severity: 'error',
        origin: 'config/nowhere (DATABASE_URL_FILE)',
        message: /does not exist/,
      },
      { code: 'FILE_UNREADABLE', severity: 'error', origin: 'config (DATABASE_PASSWORD_FILE)', message: /directory/ },
      { code: 'FILE_UNREADABLE', severity: 'error', origin: 'empty (LOG_LEVEL_FILE)', message: /empty/ },
    ],
  },
  {
    given: 'a secret file that this user may not read',
    env: { DATABASE_URL_FILE: 'url' },
    files: { url: 'postgres://u:p@h/db' },
    ordinary: true,
    prepare: (dir) => chmod(join(dir, 'url'), 0o000),
    declared: true,
    wanted: [{ code: 'FILE_UNREADABLE', severity: 'error', message: /is not readable by this user/ }],
  },
  {
    given: 'wrong collection files',
    isProcess: true,
    files: {
      'config/collections/a-broken.json': '{\n"name": "broken",\n',
      'config/collections/b-type.json': '{"name":"typed","fields":{"a":{"type":"strnig"}}}',
      'config/collections/c-reserved.json': '{"name":"holdfast_position","fields":{"a":{"type":"string"}}}',
      'config/collections/d-notes.json':
        '{"name":"notes","access":{"create":"public"},"fields":{"text":{"type":"string"}}}',
      'config/collections/e-twice.json': '{"name":"notes","fields":{"text":{"type":"string"}}}',
      'config/collections/f-list.json': '[1, 2]',
      'config/collections/g-field.json': '{"name":"fielded","fields":{"createdAt":{"type":"string"}}}',
    },
    prepare: async (dir) => {
      await mkdir(join(dir, 'config/collections/h-folder.json'))
    },
    wanted: [
      { code: 'COLLECTION_INVALID', severity: 'error', setting: 'config/collections/a-broken.json#', message: /JSON/ },
      {
        code: 'COLLECTION_INVALID',
        severity: 'error',
        setting: 'config/collections/b-type.json#/fields/a/type',
        origin: 'config/collections/b-type.json',
        part: '/fields/a/type',
        message: /string, integer/,
      },
      { code: 'COLLECTION_INVALID', severity: 'error', setting: 'config/collections/c-reserved.json#/name' },
      {
        code: 'COLLECTION_INVALID',
        severity: 'error',
        setting: 'config/collections/e-twice.json#/name',
        message: /d-notes\.json/,
        suggestion: /remove/,
      },
      { code: 'COLLECTION_INVALID', severity: 'error', setting: 'config/collections/f-list.json#' },
      { code: 'COLLECTION_INVALID', severity: 'error', setting: 'config/collections/g-field.json#/fields/createdAt' },
      { code: 'COLLECTION_INVALID', severity: 'error', setting: 'config/collections/h-folder.json#' },
    ],
    collections: ['notes'],
  },
  {
    given: 'an unknown key in the file of NODE_ENV',
    env: { NODE_ENV: 'production' },
    files: { 'config/production.json': '{"collections":{"dirr":"x"}}' },
    wanted: [
      { code: 'SETTING_UNKNOWN', setting: 'collections.dirr', origin: 'config/production.json', suggestion: /dir/ },
    ],
  },
]

describe('settings that are wrong', { concurrency: 2 }, () => {
  for (const one of cases) {
    const isBad = one.wanted.length > 0
    test(`${one.given} ${isBad ? 'never keep it from serving and are told with place and remedy' : 'are no problem'}`, async (t) => {
      const { sight, check } = await meet(t, one)
      if (one.declared) assertFallback(sight)
      else assertLocal(sight)
      if (!isBad) assert.deepEqual([...sight.problems, ...check.problems], [])
      for (const name of one.collections ?? []) {
        assert.equal((await sight.service.send('POST', `/api/${name}`, {})).status, 201)
      }
    })
  }
})

describe('strict mode', { concurrency: 2 }, () => {
  test('ends with 2 before anything is made, and lists every error', async (t) => {
    const { code, stderr, stdout, dir } = await runProcess(t, {
      env: {
        CONFIG_STRICT: 'true',
        RATE_LIMIT: 'lots',
        MAX_RETRIES_PRIMARY: '6',
        CONFIG_FILE: 'nowhere.json',
        DATABASE_URL: 'mssql://app:hunter2-secret@db/x',
      },
      files: { 'config/collections/bad.json': '{"name":"bad","fields":{"a":{"type":"strnig"}}}' },
    })
    assert.equal(code, 2)
    for (const named of [
      'http.rateLimit',
      'fallback.maxRetriesPrimary',
      'nowhere.json',
      'database.url',
      'config/collections/bad.json#/fields/a/type',
    ]) {
      assert.ok(stderr.includes(named), `${named} is not in:\n${stderr}`)
    }
    assert.doesNotMatch(stderr + stdout, /hunter2/)
    assert.equal(existsSync(join(dir, 'data')), false)
  })

  test('starts when there is nothing worse than a warning', async (t) => {
    const sight = await serveAndLook(t, { env: { CONFIG_STRICT: 'true', DATABASE_URL: 'sqlite::memory:' } })
    findProblem(sight.problems, { code: 'SQLITE_MEMORY', severity: 'warning' })
  })
})

describe('a secret in a file', { concurrency: 2 }, () => {
  test('opens what it is to open, and one that was rotated counts at the next start', async (t) => {
    const env = { ADMIN_TOKEN: undefined, ADMIN_TOKEN_FILE: 'token' }
    const first = await serve(t, { env, files: { token: 'first-token-of-tests\n' } })
    assert.equal((await statusWith(first.url, 'first-token-of-tests')).status, 200)
    await first.end()
    const second = await serve(t, { env, cwd: first.dir, files: { token: 'second-token-of-tests\n' } })
    assert.equal((await statusWith(second.url, 'second-token-of-tests')).status, 200)
    assert.equal((await statusWith(second.url, 'first-token-of-tests')).status, 401)
    assert.doesNotMatch(first.output() + second.output(), /(first|second)-token-of-tests/)
  })

  test('that is no token leaves one in the data directory in force', async (t) => {
    const env = { ADMIN_TOKEN: undefined, ADMIN_TOKEN_FILE: 'token' }
    const service = await serve(t, { env, files: { token: 'no token\n' } })
    const line = await until(() => service.log().find((one) => one.event === 'token.found'))
    assert.equal(line.path, join(service.dir, 'data/admin-token'))
    const token = (await readFile(join(service.dir, 'data/admin-token'), 'utf8')).trim()
    const { problems } = await bodyOf(await statusWith(service.url, token))
    await assertSaid({ service, problems }, { code: 'SETTING_INVALID', setting: 'admin.token' })
    assert.doesNotMatch(service.output(), new RegExp(`${token}|no token|${adminToken}`))
  })
})

function statusWith(url: string, token: string): Promise<Response> {
  return fetch(new URL('/status', url), { headers: { authorization: `Bearer ${token}` } })
}
