import assert from 'node:assert/strict'
import { test } from 'node:test'
import mysql from '../../../plugins/mysql/mysql.ts'
import neon from '../../../plugins/neon/neon.ts'
import postgresql from '../../../plugins/postgresql/postgresql.ts'
import { Secret } from '../../../src/config/secret.ts'
import { type AddressReading, DatabaseUrlValidator } from '../../../src/database/address/validator.ts'
import type { Driver } from '../../../src/driver/driver.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import { settingsFromOptions } from '../../support/settings.ts'

const registry = new DriverRegistry()
for (const driver of [postgresql, mysql, neon] as readonly Driver[]) registry.register(driver)
const validator = new DatabaseUrlValidator(registry, settingsFromOptions({}).settings)
const context = { role: 'primary', setting: 'database.url', origin: { from: 'options' }, folders: ['/data'] } as const

/** An address as it was read, and all that a person is shown of it. */
function reading(text: string): AddressReading & { readonly shown: string } {
  const read = validator.read(text, context)
  const { driver, target } = read.resolved ?? {}
  const said = read.problems.flatMap(({ message, suggestion }) => [message, suggestion])
  return { ...read, shown: [...said, target === undefined ? '' : driver?.describe(target)].join('\n') }
}

test('a password whose "@" was lost is not shown as the name of a database', () => {
  for (const scheme of ['postgres', 'mysql', 'neon']) {
    for (const rest of ['u:a/hunter2', 'u:a/hunter2%40h/d', 'u:a/hunter2＠h/d', 'u:a/hunter2:5432/d']) {
      assert.doesNotMatch(reading(`${scheme}://${rest}`).shown, /hunter2/, `${scheme}://${rest}`)
    }
  }
})

test("Java's address is read with the password among its parameters, whatever stands in it", () => {
  for (const [kind, port] of [
    ['postgresql', '5432'],
    ['mysql', '3306'],
  ]) {
    for (const place of ['h', `h:${port}`]) {
      for (const password of ['a@hunter2', 'a@hunter2/x', 'a@b@hunter2']) {
        const { resolved, shown } = reading(`jdbc:${kind}://${place}/d?user=u&password=${password}`)
        assert.deepEqual([resolved?.target.host, resolved?.target.database], ['h', 'd'], `${place} ${password}`)
        assert.doesNotMatch(shown, /hunter2/)
      }
    }
  }
})

test('a word behind the options of a command is not taken for a second name of the database', () => {
  const { resolved, shown } = reading('psql -h h -U u -d d -W hunter2')
  assert.equal(resolved?.target.database, 'd')
  assert.doesNotMatch(shown, /hunter2/)
  assert.equal(reading('PGDATABASE=x psql -h h -U u d').resolved?.target.database, 'd')
})

test('the options of another command are not shown', () => {
  assert.doesNotMatch(reading('mysqldump -u u -pa@hunter2 d').shown, /hunter2/)
})

test('what would write to the screen is no name of a database', () => {
  for (const scheme of ['postgres', 'mysql', 'neon']) {
    for (const name of ['d%1b[31m', 'd\x1b]0;x\x07', 'd%00', 'd%7f', 'd%C2%9b31m']) {
      const { resolved, shown } = reading(`${scheme}://u:p@h/${name}`)
      assert.equal(resolved, null, name)
      assert.doesNotMatch(shown.replaceAll('\n', ''), /\p{Cc}/u)
    }
  }
})

test('no driver takes long for an address, however long it is', () => {
  const before = process.cpuUsage()
  for (const driver of [postgresql, mysql, neon] as readonly Driver[]) {
    const scheme = driver.schemes[0] ?? ''
    const { settings } = settingsFromOptions({})
    for (const rest of ['a', 'A.', 'u:a', '@', '%', '=&']) {
      const text = new Secret(`${scheme}://${rest.repeat(50_000)}@h/d`)
      driver.parse({ form: 'url', role: 'primary', setting: 'x', origin: null, folders: [], scheme, text }, settings)
    }
  }
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 5_000_000, `${(user + system) / 1_000} ms`)
})

test('an address of Neon with the scheme of a web page is shown as it should be', () => {
  for (const [text, wanted] of [
    ['neon+http://u:hunter2@h/d', 'neon+https://u:***@h/d'],
    [
      'https://u:hunter2@ep-x.eu.aws.neon.tech/d?sslmode=require',
      'neon+https://u:***@ep-x.eu.aws.neon.tech/d?sslmode=require',
    ],
  ] as const) {
    const { shown } = reading(text)
    assert.ok(shown.includes(`rite ${wanted}\n`), shown)
    assert.doesNotMatch(shown, /hunter2/)
  }
})
