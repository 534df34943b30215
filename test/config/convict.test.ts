import assert from 'node:assert/strict'
import { test } from 'node:test'
import convict from 'convict'
import type { Declarations } from '../../src/config/driver-settings.ts'
import { layersOfOptions } from '../../src/config/layers.ts'
import { readValue } from '../../src/config/read-value.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { coreSchema } from '../../src/config/schema/schema.ts'
import { Secret } from '../../src/config/secret.ts'
import { coreSettings, createConfig, settingsIn } from '../../src/config/settings-schema.ts'
import { settingsFromOptions } from '../support/settings.ts'

/** The members that convict knows, and ours. */
const members = new Set([
  ...['doc', 'format', 'default', 'env', 'sensitive', 'nullable'],
  ...['min', 'max', 'accepts', 'of', 'environmentOnly', 'restart', 'inert'],
])

test('each setting is declared by known members only, and convict accepts every default', () => {
  for (const [key, setting] of coreSettings) {
    for (const member of Object.keys(setting)) assert.ok(members.has(member), `${key}: ${member}`)
    assert.deepEqual(readValue(setting, setting.default), { value: setting.default }, key)
  }
  createConfig(coreSchema).validate({ allowed: 'strict' })
})

test("what a driver declares stands in convict's schema next to the settings of the core", () => {
  const wait = { doc: 'Wait.', format: 'duration', default: '2s', env: 'ACME_WAIT' } as const
  const resolved = settingsFromOptions({ plugins: { acme: { wait: '1m' } } }, { acme: { wait } })
  assert.deepEqual(resolved.lines().at(-1), { name: 'plugins.acme.wait', value: 60, origin: { from: 'options' } })
})

test('a declaration that is not an object is left out and reported', () => {
  const { problems } = settingsFromOptions({}, { acme: { wait: null } } as unknown as Declarations) // As a plugin may.
  assert.deepEqual(
    problems.map(({ code, setting }) => [code, setting]),
    [['SETTING_DECLARATION_INVALID', 'plugins.acme.wait']],
  )
})

test('a value that convict would follow for ever, or print, is refused without being shown', () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const given = { database: { password: { cycle }, url: cycle }, http: { host: cycle, port: [cycle] } }
  const { problems, settings } = resolveSettings(layersOfOptions(given))
  assert.deepEqual(
    problems.map(({ setting }) => setting),
    ['database.password', 'http.port', 'http.host'],
  )
  assert.equal(settings.database.url?.reveal(), '(object)')
})

test('neither a list in itself nor a secret in the wrong setting is followed or shown', () => {
  const list: unknown[] = []
  list.push(list)
  const secret = 'correct-horse'
  const address = `postgresql://user:${secret}@host/name`
  for (const value of [list, new Secret(secret), { password: secret }, [{ address }], { [address]: 1 }]) {
    const { problems, ...resolved } = resolveSettings(layersOfOptions({ http: { port: value, host: value } }))
    assert.equal(problems.length, 2)
    assert.doesNotMatch(JSON.stringify([problems, resolved.settings]), /correct-horse/)
  }
})

test('a setting that is not there yet is an unknown one', () => {
  const { problems } = resolveSettings(layersOfOptions({ archives: { intervalS: 5 } }))
  assert.deepEqual(
    problems.map(({ code, setting }) => [code, setting]),
    [['SETTING_UNKNOWN', 'archives']],
  )
})

// The last one: it changes formats for the rest of this process.
test('convict coerces, validates and masks: without it no setting has its value', () => {
  const validate = (value: unknown): void => {
    if (value === 13) throw new TypeError('is unlucky')
  }
  convict.addFormat({ name: 'holdfast:integer', validate, coerce: (text: string) => text.length })
  const { settings, problems } = settingsFromOptions(JSON.parse('{"http":{"port":"12345"},"pool_size":13}'))
  assert.equal(settings.http.port, 5)
  assert.equal(settings.database.poolSize, 5)
  assert.deepEqual(
    problems.map(({ setting }) => setting),
    ['database.poolSize'],
  )
  const config = createConfig({
    one: { doc: '', format: 'holdfast:token', default: 'seen', env: 'ONE', sensitive: true },
  })
  assert.ok(!config.toString().includes('seen'))
  assert.deepEqual([...settingsIn(config).keys()], ['one'])
})
