import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { driver as postgresql } from '../../../plugins/postgresql/postgresql.ts'
import { driver as sqlite } from '../../../plugins/sqlite/sqlite.ts'
import { passwordsOf, showAddress } from '../../../src/config/mask.ts'
import { addressInCommand, keywordsAddress, readKeywords } from '../../../src/database/address/libpq.ts'
import { findPlaceholder, hasExamplePassword } from '../../../src/database/address/placeholder.ts'
import { findShapeDefect } from '../../../src/database/address/scheme.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import fc from '../../support/property.ts'

describe('a connection string of keywords', () => {
  const read = (text: string): Record<string, string> | null => {
    const found = readKeywords(text)
    return found === null ? null : Object.fromEntries(found)
  }

  test("is read by libpq's rules of quoting", () => {
    assert.deepEqual(read("host=db dbname=app user=me password='a b\\'c' port=5432"), {
      host: 'db',
      dbname: 'app',
      user: 'me',
      password: "a b'c",
      port: '5432',
    })
    assert.deepEqual(read(' host = db\n\tdbname\t= app '), { host: 'db', dbname: 'app' })
    assert.deepEqual(read("user=me password='' host=db"), { user: 'me', password: '', host: 'db' })
    assert.deepEqual(read('user=me password=a\\ b\\\\c'), { user: 'me', password: 'a b\\c' })
    assert.deepEqual(read("user=me password=a'b"), { user: 'me', password: "a'b" })
    assert.deepEqual(read('user=a user=b'), { user: 'b' })
  })

  for (const text of [
    '',
    'host',
    'host db',
    "password='never closed",
    'sslmode=require',
    'Host=db;Database=app',
    '=x',
  ]) {
    test(`is not what ${JSON.stringify(text)} is`, () => assert.equal(read(text), null))
  }

  test('is none where a part that is shown may hold a password', () => {
    for (const text of [
      'dbname=postgres://u:p@h/d',
      'user=me:secret host=db',
      'host=me:p@db user=u',
      'host=h;password=x',
    ]) {
      assert.equal(read(text), null, text)
    }
  })

  test('becomes an address with several hosts, IPv6, a socket and all that names no part', () => {
    const address = (text: string): string | null => {
      const found = readKeywords(text)
      return found === null ? null : keywordsAddress(found)
    }
    assert.equal(address('host=a,b port=1,2 dbname=d user=u'), 'postgresql://u@a:1,b:2/d')
    assert.equal(address('host=a,b port=7 dbname=d user=u'), 'postgresql://u@a:7,b:7/d')
    assert.equal(address('host=::1 port=7 dbname=d user=u'), 'postgresql://u@[::1]:7/d')
    assert.equal(address('host=/var/run dbname=d user=u'), 'postgresql://u@%2Fvar%2Frun/d')
    assert.equal(address('hostaddr=10.0.0.1 dbname=d user=u'), 'postgresql://u@10.0.0.1/d')
    assert.equal(address('host=h dbname=d password=p'), 'postgresql://h/d?password=p')
    assert.equal(
      address("host=h dbname=d user=u sslmode=require options='-c a=b'"),
      'postgresql://u@h/d?sslmode=require&options=-c%20a%3Db',
    )
  })

  test('gives back any password, and the password is known to whoever masks', () => {
    const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
    fc.assert(
      fc.property(
        fc.record({ password: fc.string({ minLength: 1, unit: 'grapheme' }), user: fc.constantFrom('me', 'a b', 'ü') }),
        (given) => {
          const text = `host=db user=${quoted(given.user)} password=${quoted(given.password)} dbname=app`
          assert.deepEqual(read(text), { host: 'db', user: given.user, password: given.password, dbname: 'app' })
          assert.ok(passwordsOf(text).includes(given.password))
          const [, password = ''] = /:\/\/[^:]*:([^@]*)@/.exec(keywordsAddress(readKeywords(text) ?? new Map())) ?? []
          assert.equal(decodeURIComponent(password), given.password.toWellFormed())
        },
      ),
    )
  })
})

describe('a command', () => {
  const url = 'postgres://u:p@h/d?a=1&b=2'
  const commands: readonly (readonly [string, string | null])[] = [
    [`psql ${url}`, url],
    [`psql '${url}'`, url],
    [`psql -X -v ON_ERROR_STOP=1 "${url}" -f x.sql`, url],
    [`psql -d ${url} -c 'select 1'`, url],
    [`psql --dbname=${url}`, url],
    [`$ /usr/bin/psql ${url} | less`, url],
    [`pgcli ${url}`, url],
    ['psql -h db -p 6543 -U me -d app', 'postgresql://me@db:6543/app'],
    ['psql -hdb -Ume app', 'postgresql://me@db/app'],
    ['psql --host db --username=me app', 'postgresql://me@db/app'],
    ["PGPASSWORD='a b' PGSSLMODE=require psql -h db app me", 'postgresql://me:a%20b@db/app?sslmode=require'],
    ['psql \\\n  -h db \\\n  -U me app', 'postgresql://me@db/app'],
    ['psql "host=db dbname=app user=me password=\'a b\'"', 'postgresql://me:a%20b@db/app'],
    ['psqlx postgres://u@h/d', null],
    ['psql', null],
    ['psql -l', null],
    ['psql me:secret@db/app', null],
    ['pg_dump postgres://u@h/d', null],
  ]
  for (const [text, wanted] of commands) {
    test(`${JSON.stringify(text)} ${wanted === null ? 'holds none' : 'holds an address'}`, () => {
      assert.equal(addressInCommand(text), wanted)
    })
  }
})

describe('what follows a scheme', () => {
  const registry = new DriverRegistry()
  for (const driver of [sqlite, postgresql]) registry.register(driver)
  const shape = (text: string) => findShapeDefect(text, 'DATABASE_URL', registry)

  const right = [
    ...['postgres://u:p@h/d', 'postgresql:///d?host=/run', 'POSTGRES://u@h/d', 'postgresql+asyncpg://u:p@h/d'],
    ...['sqlite:x.db', 'sqlite:/x.db', 'sqlite:///x.db', 'postgres.example.com:5432/d', 'postgres-7.internal/d'],
    ...['postgres:5432/app', 'mysql:/u:p@h/d', 'postgres://u:p@postgres://h/d', 'postgres://u:p@h/d?x=postgres://h'],
    ...['', 'p', 'postgres', 'postgresql'],
  ]
  for (const text of right) {
    test(`${JSON.stringify(text)} is left to the others`, () => assert.equal(shape(text), null))
  }

  test('is shown with the address as it should be, without the password', () => {
    const wrong = [
      ...[
        'postgres:/u:hunter2@h/d',
        'postgres//u:hunter2@h/d',
        'postgres;//u:hunter2@h/d',
        'postgres:////u:hunter2@h/d',
      ],
      ...[
        'postgres ://u:hunter2@h/d',
        'postgres:\\\\u:hunter2@h/d',
        'postgres: //u:hunter2@h/d',
        'postgresu:hunter2@h/d',
      ],
    ]
    for (const text of wrong) {
      const defect = shape(text)
      assert.equal(defect?.code, 'ADDRESS_MALFORMED', text)
      assert.equal(defect.suggestion, 'Write postgres://u:***@h/d', text)
      assert.doesNotMatch(JSON.stringify(defect), /hunter2/)
    }
    assert.equal(shape('postgres:\\\\u:hunter2@h\\d')?.suggestion, 'Write postgres://u:***@h/d')
    assert.equal(shape('postgres:u:hunter2')?.suggestion, 'Write postgres://user:***@host:port/name')
  })

  test('is reported with the position of a second address', () => {
    const first = 'postgres://u:hunter2@h/d'
    for (const between of [',', ' ', ' , ', ';', '|', '']) {
      const defect = shape(`${first}${between}postgresql://v:hunter2@h/d`)
      assert.equal(defect?.code, 'ADDRESS_MULTIPLE')
      assert.match(defect.message, new RegExp(`character ${first.length + between.length + 1}\\.$`))
      assert.equal(defect.suggestion, 'Use one of them: postgres://u:***@h/d')
    }
  })
})

test('an address is shown without its password and without the value of any parameter that is not known', () => {
  const shown = showAddress('postgres://u:hunter2@h/d?sslmode=require&pasword=hunter2&x&user=a=hunter2&api_key=hunter2')
  assert.equal(shown, 'postgres://u:***@h/d?sslmode=require&pasword=***&***&user=***&api_key=***')
  assert.equal(showAddress('postgres://u@h/d'), 'postgres://u@h/d')
})

describe('words of manuals', () => {
  test('are placeholders where host and user are words, too', () => {
    const manuals = [
      ...['postgresql://user:password@host:port/database', 'postgres://USER:PASSWORD@HOST:PORT/DATABASE'],
      ...['mysql://username:password@hostname:3306/db', 'postgres://db_user:db_password@db-host/x'],
      ...[
        'postgres://me:***@h/d',
        'postgres://me:••••••@h/d',
        'postgres://me:xxxxxx@h/d',
        'postgres://u:[PASSWORD]@h/d',
      ],
    ]
    for (const text of manuals) assert.notEqual(findPlaceholder(text), null, text)
    const real = [
      'postgres://user:password@localhost:5432/app',
      'postgres://user:s3cret@host/app',
      'postgres://u:p@host/d',
    ]
    for (const text of real) assert.equal(findPlaceholder(text), null, text)
  })

  test('as a password alone are worth a warning', () => {
    for (const word of ['changeme', 'CHANGE_ME', 'password', 'mypassword', 'your-password', 'secret', '$DB_PASSWORD']) {
      assert.ok(hasExamplePassword(`postgres://me:${word}@h/d`), word)
    }
    for (const word of ['postgres', 'passw0rd!', 'a$B', 'secrets']) {
      assert.ok(!hasExamplePassword(`postgres://me:${word}@h/d`), word)
    }
  })
})
