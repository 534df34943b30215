import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHoldfast, type HoldfastOptions, Secret, type SettingsInput } from '../../src/index.ts'

const problemsOf = (settings: HoldfastOptions['settings']) =>
  createHoldfast(settings === undefined ? {} : { settings })
    .status()
    .problems.map(({ code, setting }) => `${code} ${setting}`)

test('an option that does not exist is a problem, with the one that is meant', () => {
  const found = (odd: object) =>
    createHoldfast(odd)
      .status()
      .problems.map(({ setting, message, suggestion }) => [setting, message, suggestion])
  const ignored = 'is not an option of createHoldfast. It is ignored.'
  assert.deepEqual(found({ setting: { http: { port: 0 } } }), [
    ['settings', `"setting" ${ignored}`, 'Did you mean "settings"?'],
  ])
  assert.deepEqual(found({ database_url: 'sqlite:///./a.db' }), [
    ['settings', `"database_url" ${ignored}`, 'If it is a setting, pass it in "settings".'],
  ])
  assert.deepEqual(
    found({ settings: {}, drivers: ['sqlite'], entities: [], collections: [], routes() {}, observe() {} }),
    [],
  )
})

test('every form of a setting is accepted by the type and at run time', () => {
  const forms: readonly SettingsInput[] = [
    { database: { url: 'sqlite:///./a.db' }, http: { port: 0 } },
    { database: { password: new Secret('pw') }, plugins: { sqlite: { sync: 'normal' } } },
    { primary_url: 'sqlite:///./a.db', driver: 'sqlite', fallback_url: 'sqlite:///./b.db' },
    { database_url: 'sqlite:///./a.db', PORT: '8080', fallback_mode: 'read-only' },
  ]
  for (const form of forms) assert.deepEqual(problemsOf(form), [])
})

test('a misspelt name is an error of the compiler, and a problem at run time', () => {
  // @ts-expect-error The section is misspelt.
  const section: HoldfastOptions = { settings: { databse: { url: 'sqlite:///./a.db' } } }
  // @ts-expect-error The key is misspelt.
  const key: HoldfastOptions = { settings: { database: { ulr: 'sqlite:///./a.db' } } }
  // @ts-expect-error The flat name is misspelt.
  const flat: HoldfastOptions = { settings: { databse_url: 'sqlite:///./a.db' } }
  // @ts-expect-error The type is wrong.
  const type: HoldfastOptions = { settings: { http: { port: true } } }
  for (const { settings } of [section, key, flat]) assert.match(problemsOf(settings).join(), /^SETTING_UNKNOWN /)
  assert.match(problemsOf(type.settings).join(), /^SETTING_INVALID http\.port/)
})
