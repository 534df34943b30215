import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { defaultSettingsFile, jsonSchemaOfSettings } from '../../src/config/json-schema.ts'
import { readLayers } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { assertGolden } from './golden-file.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const validate = new Ajv({ allowUnionTypes: true }).compile(jsonSchemaOfSettings())

test('config/schema.json is what the schema of the settings generates', async () => {
  await assertGolden('config/schema.json', jsonSchemaOfSettings())
})

test('config/default.json lists every setting with its safe value', async () => {
  await assertGolden('config/default.json', defaultSettingsFile())
})

for (const name of ['default', 'production']) {
  test(`config/${name}.json is valid by its own schema`, async () => {
    const content: unknown = JSON.parse(await readFile(`${root}config/${name}.json`, 'utf8'))
    assert.ok(validate(content), JSON.stringify(validate.errors))
  })
}

for (const NODE_ENV of ['development', 'production']) {
  test(`the files of the repository resolve without a problem in ${NODE_ENV}`, async () => {
    const resolved = resolveSettings(await readLayers({ env: { NODE_ENV }, cwd: root }), {})
    assert.deepEqual(resolved.problems, [])
  })
}

test('config/default.json changes no value, so a deployer may delete it', async () => {
  const resolved = resolveSettings(await readLayers({ env: {}, cwd: root }), {})
  assert.deepEqual(resolved.settings, settingsFromOptions({}, {}).settings)
  for (const { name } of resolved.lines()) assert.ok(!resolved.isSet(name), `${name} counts as given`)
})

test('the schema for editors knows flat names and refuses unknown ones', () => {
  assert.ok(validate({ database_url: 'postgres://h/db', fallback_timeout: '3s', http: { bodyLimitBytes: '64KiB' } }))
  assert.ok(validate({ primary_url: 'postgres://h/db', host: 'db', port: 5432 }))
  assert.ok(validate({ database: { pool_size: 3, fallback_url: 'x' }, fallback: { enable_fallback: true } }))
  assert.ok(!validate({ fallback: { host: 'db' } }))
  assert.ok(!validate({ databse_url: 'x' }))
  assert.ok(!validate({ http: { port: 99999 } }))
  assert.ok(!validate({ fallback: { timeoutS: 'soon' } }))
})
