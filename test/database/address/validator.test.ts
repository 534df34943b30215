import assert from 'node:assert/strict'
import { test } from 'node:test'
import { driver as sqlite } from '../../../plugins/sqlite/sqlite.ts'
import { DatabaseUrlValidator } from '../../../src/database/address/validator.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import { settingsFromOptions } from '../../support/settings.ts'

const registry = new DriverRegistry()
registry.register(sqlite)
const validator = new DatabaseUrlValidator(registry, settingsFromOptions({}).settings)
const context = { role: 'primary', setting: 'database.url', origin: { from: 'options' }, folders: ['/data'] } as const

test('an address that can be used as it is, or says that there is none, has no problems', () => {
  for (const text of ['sqlite:///./x.db', 'file:x.db', '', ' ', 'None']) {
    assert.deepEqual(validator.validate(text, context), [])
  }
})

test('an address that cannot be used has problems that name setting, part and remedy', () => {
  const [problem, ...more] = validator.validate('postgres://u:S3cr3t@h/db', context)
  assert.deepEqual(more, [])
  assert.equal(problem?.code, 'ADDRESS_DRIVER_NOT_LOADED')
  assert.equal(problem?.setting, 'database.url')
  assert.equal(problem?.part, 'scheme')
  assert.ok((problem?.suggestion ?? '').length > 10)
})

test('a repaired address gives its target and its repairs', () => {
  const { resolved, isBlank, problems } = validator.read("'sqlite:///x.db'", context)
  assert.equal(resolved?.target.database, '/data/x.db')
  assert.equal(isBlank, false)
  assert.deepEqual(
    problems.map(({ code, part }) => [code, part]),
    [['ADDRESS_REPAIRED', 'quotes']],
  )
})
