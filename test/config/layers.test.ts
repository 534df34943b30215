import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readJsonText } from '../../src/config/json-fault.ts'
import { readLayers, refreshSecrets } from '../../src/config/layers.ts'
import { nearest } from '../../src/config/nearest.ts'
import { exitCodeFor } from '../../src/config/problem.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { Secret } from '../../src/config/secret.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { makeTempDir, writeFiles } from '../support/temp.ts'

test('a rotated secret is read anew, and one that is being replaced keeps its last value', async (t) => {
  const cwd = await makeTempDir(t, 'rotate')
  await writeFiles(cwd, { password: 'first\n' })
  const first = await readLayers({ env: { DATABASE_PASSWORD_FILE: 'password' }, cwd })
  assert.equal(resolveSettings(first).settings.database.password?.reveal(), 'first')
  await writeFiles(cwd, { password: 'second\n' })
  const second = await refreshSecrets(first)
  assert.equal(resolveSettings(second).settings.database.password?.reveal(), 'second')
  await rm(join(cwd, 'password'))
  const third = resolveSettings(await refreshSecrets(second))
  assert.equal(third.settings.database.password?.reveal(), 'second')
  assert.deepEqual(third.problems, [])
})

test('.env is never read, and a file given in code wins over CONFIG_FILE', async (t) => {
  const cwd = await makeTempDir(t, 'layers')
  await writeFiles(cwd, { '.env': 'PORT=1111\n', 'a.json': '{"port": 2222}', 'b.json': '{"port": 3333}' })
  const { settings } = resolveSettings(await readLayers({ env: { CONFIG_FILE: 'a.json' }, cwd, file: 'b.json' }))
  assert.equal(settings.http.port, 3333)
  assert.equal(settings.config.file, 'b.json')
  assert.equal(resolveSettings(await readLayers({ env: {}, cwd })).settings.http.port, 7860)
})

test('a pipe in place of a file is a problem and is not waited for', async (t) => {
  const cwd = await makeTempDir(t, 'pipe')
  await promisify(execFile)('mkfifo', [join(cwd, 'pipe')])
  const layers = await readLayers({ env: { CONFIG_FILE: 'pipe', ADMIN_TOKEN_FILE: 'pipe' }, cwd })
  const { problems } = resolveSettings(layers)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['FILE_UNREADABLE', 'FILE_UNREADABLE'],
  )
})

test('a file that is not UTF-8 is a problem', async (t) => {
  const cwd = await makeTempDir(t, 'bytes')
  await writeFiles(cwd, { 'a.json': Buffer.from('{"port": 1}', 'utf16le').fill(0xff, 0, 2) })
  const { problems } = resolveSettings(await readLayers({ env: { CONFIG_FILE: 'a.json' }, cwd }))
  assert.match(problems[0]?.message ?? '', /not UTF-8/)
})

test('before the drivers are loaded nothing is said about their settings, afterwards unknown ones are', async (t) => {
  const cwd = await makeTempDir(t, 'phases')
  await writeFiles(cwd, { 'config/default.json': '{"drivers": ["acme"], "plugins": {"acme": {"sync": "full"}}}' })
  const layers = await readLayers({ env: {}, cwd })
  const first = resolveSettings(layers)
  assert.deepEqual(first.problems, [])
  assert.deepEqual(first.settings.drivers, ['acme'])
  assert.deepEqual(
    resolveSettings(layers, { acme: {} }).problems.map(({ setting }) => setting),
    ['plugins.acme.sync'],
  )
})

test('options are checked like files, take secrets in both forms, and read no environment', (t) => {
  process.env.POOL_SIZE = '7'
  t.after(() => delete process.env.POOL_SIZE)
  const given = {
    database: { url: new Secret('sqlite:a.db'), password: 'pw', poolSize: undefined },
    http: { port: -5 },
  }
  const resolved = settingsFromOptions({ ...given, retry_delay_ms: 250 })
  assert.equal(resolved.settings.database.url?.reveal(), 'sqlite:a.db')
  assert.equal(resolved.settings.database.password?.reveal(), 'pw')
  assert.equal(resolved.settings.database.poolSize, 5)
  assert.equal(resolved.settings.fallback.retryDelayMs, 250)
  assert.deepEqual(resolved.originOf('fallback.retryDelayMs'), { from: 'options' })
  assert.deepEqual(resolved.originOf('http.port'), { from: 'default' })
  assert.deepEqual(
    resolved.problems.map(({ setting, origin }) => [setting, origin]),
    [['http.port', { from: 'options' }]],
  )
  assert.equal(exitCodeFor(resolved.problems), 2)
})

test('settings cannot be changed by whoever holds them', () => {
  const { settings } = settingsFromOptions({})
  assert.ok(
    Object.isFrozen(settings) && Object.isFrozen(settings.http) && Object.isFrozen(settings.fallback.conditions),
  )
})

const faults: readonly [string, string][] = [
  ['', '1:1 the file is empty'],
  ['{', '1:2 the file ends here; expected a name in double quotes'],
  ['{"a": 1\n', '1:8 the file ends here; expected "," or "}"'],
  ['{"a": "x', '1:7 the file ends before this string is closed'],
  ['{"a": 1,}', '1:9 remove the comma before "}"'],
  ['{\n  // why\n}', '2:3 comments are not allowed'],
  ["{'a': 1}", '1:2 use double quotes'],
  ['{"a" 1}', '1:6 expected ":"'],
  ['{"a": 01}', '1:7 expected a value'],
  ['{"a": tru}', '1:7 expected a value'],
  ['{"a": 1 "b": 2}', '1:9 expected "," or "}"'],
  ['{"a": "x\ny"}', '1:9 the string is not closed on its line'],
  ['{"a": "C:\\data"}', '1:10 invalid escape; write a backslash twice'],
  ['{} {}', '1:4 unexpected text after the end'],
]
function faultIn(text: string) {
  const read = readJsonText(text)
  return 'fault' in read ? read.fault : null
}

for (const [text, expected] of faults) {
  test(`the fault in ${JSON.stringify(text)} is found`, () => {
    const fault = faultIn(text)
    assert.equal(`${fault?.line}:${fault?.column} ${fault?.hint}`, expected)
  })
}

test('what JSON.parse takes has no fault, also a large text, and absurd nesting has one', () => {
  for (const text of [
    '{}',
    ' [1, -2.5e+3, "\\u00e9\\n", null, true] ',
    '"x"',
    JSON.stringify({ a: 'é"\\'.repeat(250_000) }),
  ]) {
    assert.equal(faultIn(text), null)
  }
  assert.match(faultIn('['.repeat(1_000_000))?.hint ?? '', /deep/)
})

test('the nearest name is found within a few letters and not beyond', () => {
  const names = ['database_url', 'port', 'pool_size']
  assert.equal(nearest('databse_url', names), 'database_url')
  assert.equal(nearest('DATABASE_ULR', names), 'database_url')
  assert.equal(nearest('prot', names), 'port')
  assert.equal(nearest('poolSize', names), 'pool_size')
  assert.equal(nearest('sort', ['database_url']), null)
  assert.equal(nearest('ab', names), null)
  assert.equal(nearest('x'.repeat(1_000_000), names), null)
})

test('a key without its unit, misspelt, is told the setting that was meant', () => {
  const { problems } = settingsFromOptions(JSON.parse('{"http":{"bodyLimt":5}}'))
  assert.equal(problems[0]?.suggestion, 'Did you mean http.bodyLimitBytes?')
})
