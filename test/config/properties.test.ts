import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { formatOf } from '../../src/config/formats.ts'
import { readJsonText } from '../../src/config/json-fault.ts'
import { type Layers, layersOfOptions } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { Secret } from '../../src/config/secret.ts'
import type { ResolvedSettings } from '../../src/config/settings.ts'
import { coreSettings } from '../../src/config/settings-schema.ts'
import fc from '../support/property.ts'
import { settingsFromOptions } from '../support/settings.ts'

const schema = coreSettings
const keys = [...schema.keys()]
const names = [...schema.values()].map((setting) => setting.env)

const word = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'true',
    'off',
    '0',
    '-1',
    '1e9',
    '5s',
    '250ms',
    '64KiB',
    '9'.repeat(30),
    '"7"',
    'null',
    'lost',
    '__proto__',
  ),
  fc.constantFrom('constructor', 'toString', '1constructor', 'tcp://10.0.0.1:80', ',', '\u0000', 'a'.repeat(5000)),
)
const value = fc.oneof(word, fc.jsonValue({ maxDepth: 3 }), fc.anything({ maxDepth: 2 }))
const tree = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom(...keys),
        fc.constantFrom(...names).map((name) => name.toLowerCase()),
        word,
      ),
      value,
    ),
  )
  .map((entries) => Object.fromEntries(entries))
const nested = fc.dictionary(
  fc.constantFrom('database', 'http', 'fallback', 'log', 'plugins', 'drivers', '__proto__', 'constructor'),
  fc.oneof(
    value,
    fc.dictionary(fc.constantFrom('url', 'port', 'level', 'mode', 'poolSize', '__proto__', 'default'), value),
  ),
)
const environment = fc.dictionary(fc.oneof(fc.constantFrom(...names, 'DATABASE_ULR'), fc.string()), word)

function layersOf(content: object, env: Record<string, string>): Layers {
  const values = new Map(Object.entries(env))
  const layers = layersOfOptions(content)
  return { ...layers, environment: { names: [...values.keys()], value: (name) => values.get(name) } }
}

/** Each value is one that its setting takes. */
function assertValid(resolved: ResolvedSettings): void {
  for (const [key, setting] of schema) {
    const found = key.split('.').reduce<unknown>((node, name) => Reflect.get(Object(node), name), resolved.settings)
    if (setting.sensitive) assert.ok(found === null || found instanceof Secret, key)
    const plain = found instanceof Secret ? found.reveal() : found
    assert.ok(
      formatOf(setting).faultOf(plain, setting) === null || (plain === null && setting.nullable),
      `${key} is ${inspect(plain)}`,
    )
  }
}

test('whatever is given, the settings are whole and valid, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.oneof(tree, nested), environment, (content, env) => {
      const resolved = resolveSettings(layersOf(content, env), {})
      assertValid(resolved)
      JSON.stringify(resolved.problems)
      assert.equal(resolved.lines().length, keys.length)
      assert.equal(Reflect.get({}, 'polluted'), undefined)
    }),
    { numRuns: 200 },
  )
})

test('a secret that was given is nowhere in what can be printed', () => {
  const secretKeys = [...schema].filter(([, setting]) => setting.sensitive)
  const password = fc.string({ minLength: 6, unit: 'grapheme-ascii' }).map((text) => `s3cr3t${text}`)
  fc.assert(
    fc.property(fc.constantFrom(...secretKeys), password, fc.boolean(), ([key, { env }], given, isMisspelt) => {
      const content = { [key]: given, ...(isMisspelt ? { [`${key}x`]: given } : {}) }
      const layers = layersOf(content, { [env]: `${given}2`, ...(isMisspelt ? { [`${env}X`]: given } : {}) })
      const resolved = resolveSettings(layers, {})
      const printed = [resolved.problems, resolved.lines(), resolved.settings, resolved, layers]
      for (const one of printed) {
        assert.ok(!`${JSON.stringify(one)}${inspect(one, { depth: 9, showHidden: true })}`.includes('s3cr3t'))
      }
    }),
    { numRuns: 100 },
  )
})

test('settings that were resolved are taken as options and resolve to themselves', () => {
  fc.assert(
    fc.property(tree, environment, (content, env) => {
      const { settings } = resolveSettings(layersOf(content, env), {})
      const again = settingsFromOptions({ ...settings }, {})
      assert.deepEqual(again.settings, settings)
      assert.deepEqual(
        again.problems.filter(({ severity }) => severity === 'error'),
        [],
      )
    }),
    { numRuns: 100 },
  )
})

test('a fault is found in a text exactly when JSON.parse refuses it', () => {
  const spoilt = fc
    .tuple(
      fc.json({ maxDepth: 4 }),
      fc.nat(),
      fc.constantFrom('', ',', '"', '}', '0', '-', '.', 'e', '\\', '\n', '\u2028', ' '),
      fc.nat(2),
    )
    .map(([text, at, added, cut]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + added + text.slice(place + cut)
    })
  fc.assert(
    fc.property(fc.oneof(spoilt, fc.string()), (text) => {
      assert.equal('value' in readJsonText(text), isJson(text))
    }),
    { numRuns: 3000 },
  )
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
