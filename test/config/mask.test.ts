import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { maskAddress, passwordsOf } from '../../src/config/mask.ts'

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
  for (const address of ['postgres://u@h:5432/db', 'sqlite::memory:', 'sqlite:///./me@home.db', ''])
    assert.deepEqual(passwordsOf(address), [])
})
