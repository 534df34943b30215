import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import driver from '../../../plugins/sqlite/sqlite.ts'
import { Secret } from '../../../src/config/secret.ts'
import type { Settings } from '../../../src/config/settings.ts'
import type { Address } from '../../../src/driver/address.ts'
import { parse, targetOf } from './bench.ts'

const file = (text: string, options = {}): string | undefined => parse(text, options).target?.locations[0]?.file
const codes = (text: string, options = {}): readonly string[] =>
  parse(text, options).problems.map(({ code, severity }) => `${severity} ${code}`)

test('relative and absolute files are read in every spelling', () => {
  assert.equal(file('sqlite:///./x.db'), '/data/x.db')
  assert.equal(file('sqlite:///x.db'), '/data/x.db')
  assert.equal(file('sqlite:x.db'), '/data/x.db')
  assert.equal(file('sqlite:./a/../x.db'), '/data/x.db')
  assert.equal(file('sqlite:////data/sub/x.db'), '/data/sub/x.db')
  assert.equal(file('sqlite:/data/x.db'), '/data/x.db')
  assert.equal(file('sqlite3:x.db'), '/data/x.db')
  assert.equal(file('sqlite+pysqlite:///x.db'), '/data/x.db')
  assert.equal(file('sqlite+aiosqlite:///x.db'), '/data/x.db')
  assert.equal(file('file:x.db'), '/data/x.db')
  assert.equal(file('file:///data/x.db'), '/data/x.db')
  assert.equal(file('file://localhost/data/x.db'), '/data/x.db')
  assert.equal(file('sqlite:///my%20file.db'), '/data/my file.db')
  assert.equal(file('x.db'), '/data/x.db')
})

test('a file outside of the data directory needs SQLITE_ALLOW_PATHS', () => {
  for (const text of ['sqlite:////etc/x.db', 'sqlite:///../x.db', 'sqlite:a/../../x.db', 'sqlite:///%2e%2e/x.db']) {
    assert.deepEqual(codes(text), ['error ADDRESS_PATH_OUTSIDE'], text)
    assert.equal(parse(text).target, undefined)
  }
  assert.equal(file('sqlite:////srv/db/x.db', { allow: ['/srv/db'] }), '/srv/db/x.db')
  assert.deepEqual(codes('sqlite:////srv/database/x.db', { allow: ['/srv/data'] }), ['error ADDRESS_PATH_OUTSIDE'])
})

test('every spelling of memory is a file of our own, with a warning', () => {
  for (const text of [
    'sqlite::memory:',
    'sqlite://',
    'sqlite:///',
    ':memory:',
    'file::memory:',
    'sqlite:///:memory:',
  ]) {
    const target = targetOf(text)
    assert.ok(target.isMemory, text)
    assert.deepEqual(codes(text), ['warning SQLITE_MEMORY'], text)
  }
  assert.ok(targetOf('file:x.db?mode=memory').isMemory)
})

test('what names no file is refused with a corrected address', () => {
  const wrong = [
    'sqlite:',
    'file:',
    'sqlite:///a/',
    'sqlite:///.',
    'sqlite:///..',
    'sqlite:///a%00b',
    'sqlite:///a%0ab',
  ]
  wrong.push(`sqlite:///${'x'.repeat(300)}`, `sqlite:///${'x/'.repeat(3_000)}x.db`, 'sqlite://user:pw@host/x.db')
  for (const text of wrong) {
    const { target, problems } = parse(text)
    assert.equal(target, undefined, text)
    assert.ok(problems[0]?.severity === 'error' && /sqlite:\/\/\//.test(problems[0].suggestion), text)
    assert.deepEqual([problems[0].setting, problems[0].origin?.from], ['database.url', 'environment'])
  }
})

test('small mistakes are repaired and said', () => {
  assert.equal(file('sqlite://x.db'), '/data/x.db')
  assert.deepEqual(codes('sqlite://x.db'), ['warning ADDRESS_REPAIRED'])
  assert.equal(file('sqlite:///100%.db'), '/data/100%.db')
  assert.deepEqual(codes('sqlite:///100%.db'), ['warning ADDRESS_REPAIRED'])
})

test('each parameter is used, or told', () => {
  const text = 'sqlite:///x.db?journal_mode=WAL&check_same_thread=False'
  assert.deepEqual(codes(text), ['info ADDRESS_PARAMETER_UNUSED'])
  assert.equal(targetOf(text).journalMode, 'wal')
  assert.equal(targetOf('sqlite:///x.db?journal_mode=DELETE').journalMode, 'delete')
  assert.equal(targetOf('sqlite:///x.db?synchronous=FULL').sync, 'full')
  assert.deepEqual(codes('sqlite:///x.db?journal_mode=OFF'), ['warning ADDRESS_PARAMETER_INVALID'])
  assert.deepEqual(codes('sqlite:///x.db?synchronous=off'), ['warning ADDRESS_PARAMETER_INVALID'])
  assert.deepEqual(codes('sqlite:///x.db?sslmode=require'), ['warning ADDRESS_PARAMETER_UNKNOWN'])
  assert.deepEqual(codes('sqlite:///x.db?mode=ro'), ['error ADDRESS_READ_ONLY'])
  assert.ok(!JSON.stringify(parse('sqlite:///x.db?hunter2').problems).includes('hunter2'))
})

test('parts name a file too', () => {
  const parts = (name: string | null): Address => ({
    form: 'parts',
    role: 'primary',
    setting: 'database.name',
    origin: { from: 'default' },
    folders: ['/data'],
    host: null,
    port: null,
    username: null,
    password: new Secret('unused'),
    name,
  })
  const settings = { data: { sqliteAllowPaths: [] }, plugins: {} } as unknown as Settings
  assert.equal(driver.parse(parts('x.db'), settings).target?.locations[0]?.file, '/data/x.db')
  assert.ok(driver.parse(parts(':memory:'), settings).target?.isMemory)
  assert.equal(driver.parse(parts(null), settings).target, undefined)
})

test('a fallback has every place as a candidate, a primary only its own', () => {
  const folders = ['/data', '/app/data', '/tmp/holdfast']
  const files = (text: string, role: 'primary' | 'fallback'): readonly string[] =>
    driver.embedded?.files(targetOf(text, { role, folders })) ?? []
  assert.deepEqual(files('sqlite:///./x.db', 'primary'), ['/data/x.db'])
  const kept = ['/data/x.db', '/app/data/x.db', '/tmp/holdfast/x.db'].flatMap(withBeside)
  assert.deepEqual(files('sqlite:///./x.db', 'fallback'), kept)
  assert.deepEqual(files('sqlite:////data/a/x.db', 'fallback'), [...withBeside('/data/a/x.db'), ...kept])
})

function withBeside(file: string): readonly string[] {
  return [file, file.replace('.db', '.local.db')]
}

test('the id is the same for the same file, however it is spelt', () => {
  const ids = ['sqlite:x.db', 'sqlite:///./x.db', 'sqlite:////data/x.db', 'file:x.db'].map((text) => targetOf(text).id)
  assert.equal(new Set(ids).size, 1)
  assert.notEqual(targetOf('sqlite:y.db').id, ids[0])
  assert.notEqual(targetOf('sqlite:a@x.db').id, targetOf('sqlite:b@x.db').id)
})

test('importing the driver loads no client', () => {
  const code = `import { createRequire } from 'node:module'
    await import(${JSON.stringify(new URL('../../../plugins/sqlite/sqlite.ts', import.meta.url).href)})
    console.log(Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('better-sqlite3')))`
  const options = { encoding: 'utf8', cwd: import.meta.dirname } as const
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', code], options), 'false\n')
})
