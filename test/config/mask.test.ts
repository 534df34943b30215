import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMask, holdsCredentials, maskAddress, passwordsOf, show, showQuery } from '../../src/config/mask.ts'
import fc from '../support/property.ts'

const rows: readonly [string, string][] = [
  ['postgres://u:p@h:5432/db', 'postgres://u:***@h:5432/db'],
  ['postgres://u:p@ss/w#o?r:d@h/db', 'postgres://u:***@h/db'],
  ['postgres://u:p@http://h/db', 'postgres://u:***@http://h/db'],
  ['u:p@http://h/db', 'u:***@http://h/db'],
  ['postgres://u%3Ap@h/db', 'postgres://u:***@h/db'],
  ['postgres://u@h/db', 'postgres://u@h/db'],
  ['postgres://h:5432/db', 'postgres://h:5432/db'],
  ['postgres://h1:5432,h2:5433/db', 'postgres://h1:5432,h2:5433/db'],
  ['postgres://[::1]:5432/db', 'postgres://[::1]:5432/db'],
  ['postgres://u:p@h/db&password=s', 'postgres://u:***@h/db&password=***'],
  ['postgres://u s@h/db', 'postgres://u:***@h/db'],
  ['postgres://u;s@h1,h2/db', 'postgres://u:***@h1,h2/db'],
  ['postgres://u,s@h/db', 'postgres://u:***@h/db'],
  ['postgres://h:1/db?password=a@b&x=y', 'postgres://h:***&x=y'],
  ['postgres://u:secret', 'postgres://u:***'],
  ['postgres://u:se/cret', 'postgres://u:***'],
  ['postgres://h/db?user=u&password=p&sslmode=require', 'postgres://h/db?user=u&password=***&sslmode=require'],
  ['postgres://h/db?sslpassword=p', 'postgres://h/db?sslpassword=***'],
  ['host=h password=p', 'host=h password=***'],
  ['psql "postgres://u:p@h/db"', 'psql "postgres://u:***@h/db"'],
  ['DATABASE_URL=postgres://u:p@h/db', 'DATABASE_URL=postgres://u:***@h/db'],
  ['postgres:/u:p@h/db', 'postgres:***@h/db'],
  ['sqlite:///./x.db', 'sqlite:///./x.db'],
  ['sqlite::memory:', 'sqlite::memory:'],
  ['sqlite:///./me@home.db', 'sqlite:///./me@home.db'],
  ['', ''],
]

test('an address is shown without its password, and with everything else where that is possible', () => {
  for (const [given, shown] of rows) assert.equal(maskAddress(given), shown)
})

/** A password in every place of an address in which one is found, well formed or not. */
const shape = fc.constantFrom(
  (password: string) => `postgres://u:${password}@h/db`,
  (password: string) => `"postgres://u:${password}@h/db`,
  (password: string) => `psql postgres://u:${password}@h:x/db?`,
  (password: string) => `u:${password}@h`,
  (password: string) => `postgres:/u:${password}@h`,
  (password: string) => `postgres:u:${password}@h@i`,
  (password: string) => `postgres://u:${password}@http://a:b@h`,
  (password: string) => `postgres://h/db?password=${encodeURIComponent(password)}&x=y`,
  (password: string) => `host=h password=${password}`,
)
const noise = fc.string({ maxLength: 20, unit: 'binary' })

test('whatever stands between the colon of the user and the host is hidden, in malformed addresses too', () => {
  fc.assert(
    fc.property(shape, noise, noise, (put, before, behind) => {
      const password = `${before}S3cr3t${behind}`.toWellFormed()
      assert.doesNotMatch(maskAddress(put(password)), /S3cr3t/)
    }),
    { numRuns: 2_000 },
  )
})

test('what is hidden in an address is found as its password, so that it can be hidden elsewhere as well', () => {
  fc.assert(
    fc.property(shape, noise, noise, (put, before, behind) => {
      const address = put(`${before}S3cr3t${behind}`.toWellFormed())
      assert.match(passwordsOf(address).join('\n'), /S3cr3t/)
    }),
    { numRuns: 2_000 },
  )
  assert.ok(passwordsOf('postgres://u:p%40ss@h/db').includes('p@ss'))
  assert.ok(passwordsOf('postgres:/u:pass@h/db').includes('pass'))
  assert.ok(passwordsOf('postgres://h/db?x=y&sslpassword=pass#z').includes('pass'))
  assert.ok(passwordsOf("host=h password='it\\'s' port=1").includes("it's"))
  const found = passwordsOf('postgres://u:one@http://h postgres://u:two@i/b')
  assert.ok(found.includes('one'))
  assert.deepEqual(
    found,
    found.toSorted((a, b) => b.length - a.length),
    'the longest first',
  )
  for (const address of ['postgres://u@h:5432/db', 'sqlite::memory:', 'sqlite:///./me@home.db', ''])
    assert.deepEqual(passwordsOf(address), [])
})

test('of parameters only known ones are shown, and none of unknown name behind a password', () => {
  for (const [given, shown] of [
    ['sslmode=require&x=y', 'sslmode=require&x=***'],
    ['x=y&password=abc&rest=z&sslmode=require', 'x=***&password=***&***&sslmode=require'],
    ['sslmode=a word&port=5432', 'sslmode=***&port=5432'],
    ['no name', '***'],
  ] as const)
    assert.equal(showQuery(given), shown)
})

test('a value that may hold credentials is not quoted', () => {
  const address = 'postgres://u:p@h/db'
  const members = ['{"username":"u","password":"p"}', "{'a': 1, 'DB_PASSWORD' : 'p'}", '{user: u, apiKey: k}']
  for (const value of [address, ['x', address], '-----BEGIN PRIVATE KEY-----', { any: 'thing' }, [{}], ...members]) {
    assert.equal(holdsCredentials(value), true, JSON.stringify(value))
    assert.equal(show(value), 'the value')
  }
  for (const [value, shown] of [
    ['x', '"x"'],
    [['a', 1], '["a",1]'],
    [1n, 'a bigint'],
    ['x'.repeat(80), `"${'x'.repeat(59)}...`],
  ] as const)
    assert.equal(show(value), shown)
})

test('every run of a secret is hidden, in any case and encoding, and nothing else', () => {
  for (const [secret, given, shown] of [
    ['hunter2Zq', 'a hunter2Zq b', 'a *** b'],
    ['hunter2Zq', 'HUNTER2ZQ unte', '*** ***'],
    ['hunter2Zq', 'hunt%65r2 and hun', '*** and hun'],
    ['x9z', 'a x9z b', 'a *** b'],
    ['x9', 'a x9 b', 'a x9 b'],
    ['p%40ssword', 'p@ssword', '***'],
    ['p%41ss', encodeURIComponent('p%41ss'), '***'],
    ['größe', 'gr%C3%B6%C3%9Fe gr%c3%b6%c3%9fe größe', '*** *** ***'],
    ['q7\u20acx', 'q7%E2%82%ACx', '***'],
    ['abc\u{1f600}', 'abc%F0%9F%98%80 abc%F0%9F%98%81z', '*** ***z'],
    ['a====b', 'x ==== y', 'x ==== y'],
    ['mydatabase1', 'the database', 'the database'],
  ] as const)
    assert.equal(createMask([secret])(given), shown, `${secret} in ${given}`)
})

test('a text is masked the same way whether its runs are sought at once or one by one', () => {
  const unit = fc.constantFrom(...'abcABC01.*+?()[]{}|^$\\/-ßÄäſK\ud800\n')
  const secret = fc.string({ unit, minLength: 3, maxLength: 8 })
  const text = fc.tuple(fc.string({ unit, maxLength: 20 }), secret, fc.string({ unit, maxLength: 20 }), fc.boolean())
  let hidden = 0
  fc.assert(
    fc.property(secret, text, (sought, [before, other, after, isHeld]) => {
      const given = `${before}${isHeld ? sought : other}${after}`
      const mask = createMask([sought])
      if (mask(given) !== given) hidden += 1
      // A percent sign makes it look at each run.
      assert.equal(`${mask(given)} %`, mask(`${given} %`))
    }),
    { numRuns: 3_000 },
  )
  assert.ok(hidden > 500)
  const long = Array.from({ length: 2_000 }, (_, at) => `<${at}`).join('')
  assert.equal(createMask([long])('a <17<18 b'), 'a *** b')
})
