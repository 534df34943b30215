import assert from 'node:assert/strict'
import { test } from 'node:test'
import { misspeltNames, unreadNames } from '../../src/config/gather.ts'
import { layersOfOptions } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { otherNames, statusNames } from '../../src/config/schema/flat-names.ts'
import { Secret } from '../../src/config/secret.ts'
import type { ResolvedSettings } from '../../src/config/settings.ts'
import { coreSettings } from '../../src/config/settings-schema.ts'
import fc from '../support/property.ts'

/** A usable value of each setting, other than its default. */
const values: Readonly<Record<string, unknown>> = {
  'database.url': 'postgresql://app:secret@db/app',
  'database.driver': 'postgresql',
  'database.host': 'db',
  'database.port': 5433,
  'database.username': 'app',
  'database.password': 'secret',
  'database.name': 'app',
  'database.validationEnabled': false,
  'database.connectionTimeoutS': 11,
  'database.queryTimeoutS': 12,
  'database.transactionTimeoutS': 13,
  'database.poolSize': 14,
  'database.poolMaxOverflow': 15,
  'database.echoSql': true,
  'database.sqliteCheckSameThread': true,
  'database.boot': 'eager',
  'database.schemaApply': 'none',
  'fallback.url': 'sqlite:///./other.db',
  'fallback.enabled': false,
  'fallback.mode': 'read-only',
  'fallback.timeoutS': 3,
  'fallback.maxRetriesPrimary': 1,
  'fallback.retryDelayMs': 250,
  'fallback.conditions': ['lost'],
}

/** Names that the data model has, and where else than in their own section they mean the same. */
const ofModel: Readonly<Record<string, string>> = {
  primary_url: 'database.url',
  fallback_url: 'fallback.url',
  driver: 'database.driver',
  username: 'database.username',
  password: 'database.password',
  database_name: 'database.name',
  enable_fallback: 'fallback.enabled',
  fallback_timeout: 'fallback.timeoutS',
  fallback_conditions: 'fallback.conditions',
  max_retries_primary: 'fallback.maxRetriesPrimary',
  retry_delay_ms: 'fallback.retryDelayMs',
  pool_size: 'database.poolSize',
  echo: 'database.echoSql',
}

function fromFile(content: object): ResolvedSettings {
  return resolveSettings(layersOfOptions(content), {})
}

function foundIn({ settings }: ResolvedSettings, key: string): unknown {
  const found = key.split('.').reduce<unknown>((node, name) => Reflect.get(Object(node), name), settings)
  return found instanceof Secret ? found.reveal() : found
}

/** The settings that differ from their defaults. */
function changed(resolved: ResolvedSettings): Record<string, unknown> {
  const keys = [...coreSettings.keys()].filter((key) => resolved.originOf(key).from !== 'default')
  return Object.fromEntries(keys.map((key) => [key, foundIn(resolved, key)]))
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

test('every name of the data model means its setting at the top and in its section, however it is written', () => {
  const flat = [...coreSettings].filter(([key]) => key in values).map(([key, { env }]) => [env.toLowerCase(), key])
  for (const [name = '', key = ''] of [...Object.entries({ ...otherNames, ...ofModel }), ...flat]) {
    const section = key.split('.', 1).join()
    for (const written of [name, camelCase(name), name.toUpperCase(), name.replaceAll('_', '-')]) {
      for (const given of [{ [written]: values[key] }, { [section]: { [written]: values[key] } }]) {
        const resolved = fromFile(given)
        assert.deepEqual(changed(resolved), { [key]: values[key] }, JSON.stringify(given))
        assert.deepEqual(
          resolved.problems.filter(({ code }) => code !== 'SETTING_NO_EFFECT'),
          [],
        )
      }
    }
  }
})

test('below database stand the names of the fallback, too, and below fallback never the parts of the primary', () => {
  for (const [name, key] of Object.entries(ofModel)) {
    assert.deepEqual(changed(fromFile({ database: { [name]: values[key] } })), { [key]: values[key] })
    const below = fromFile({ fallback: { [name]: values[key] } })
    if (key.startsWith('fallback.') || name.startsWith('primary')) {
      assert.deepEqual(changed(below), { [key]: values[key] })
    } else {
      assert.deepEqual(changed(below), {})
      assert.deepEqual(
        below.problems.map(({ code, setting }) => [code, setting]),
        [['SETTING_UNKNOWN', `fallback.${name}`]],
      )
      assert.equal(below.problems[0]?.suggestion, 'Put the whole address of the fallback into fallback.url.')
    }
  }
  // What stands in "fallback" is the fallback's, whatever it is called.
  const url = 'sqlite:///./other.db'
  assert.deepEqual(changed(fromFile({ fallback: { database_url: url } })), { 'fallback.url': url })
})

test('host and port at the top are the database’s next to what declares one, and it is never silent', () => {
  const cases: readonly [given: object, seen: object, problems: readonly string[]][] = [
    [{ host: 'a', port: 1 }, { 'http.host': 'a', 'http.port': 1 }, []],
    [{ HOST: 'a', PORT: 1, driver: 'sqlite' }, { 'http.host': 'a', 'http.port': 1, 'database.driver': 'sqlite' }, []],
    ...['database_url', 'primary_url', 'driver', 'username', 'password', 'database_name', 'databaseName'].map(
      (name): [object, object, readonly string[]] => [
        { port: 5432, host: 'db', [name]: 'x' },
        { 'database.host': 'db', 'database.port': 5432 },
        ['database.port', 'database.host'],
      ],
    ),
    [{ Host: 'db', Username: 'u' }, { 'database.host': 'db', 'database.username': 'u' }, ['database.host']],
    [{ port: 1, pool_size: 3 }, { 'http.port': 1, 'database.poolSize': 3 }, ['http.port']],
    [{ port: 1, database: { url: 'x' } }, { 'http.port': 1, 'database.url': 'x' }, ['http.port']],
    [{ port: 1, database: { primary_url: 'x' } }, { 'http.port': 1, 'database.url': 'x' }, ['http.port']],
    [{ port: 1, database_url: null, database: { url: null, poolSize: 5 } }, { 'http.port': 1 }, []],
    [{ port: 5432, username: 'u', http: { port: 1 } }, { 'http.port': 1, 'database.port': 5432 }, ['database.port']],
  ]
  for (const [given, seen, expected] of cases) {
    const resolved = fromFile(given)
    const found = changed(resolved)
    for (const [key, value] of Object.entries(seen)) assert.deepEqual(found[key], value, JSON.stringify(given))
    const servers = Object.keys(found).filter((key) => key.startsWith('http.'))
    assert.deepEqual(servers.sort(), Object.keys(seen).filter((key) => key.startsWith('http.')).sort()) // biome-ignore format: one line says it
    const said = resolved.problems.filter(({ code }) => code === 'SETTING_AMBIGUOUS')
    assert.deepEqual(
      said.map(({ setting }) => setting),
      expected,
    )
    for (const { severity, message, suggestion } of said) {
      assert.equal(severity, 'info')
      assert.match(`${message} ${suggestion}`, /is read as the (host|port) of the .*\. Write .*\b(http|database)\.\1\b/)
    }
  }
})

test('what the data model reports is no setting, and the hint says where it is', () => {
  for (const name of statusNames) {
    const { problems } = fromFile({ [name]: false })
    assert.equal(problems[0]?.suggestion, `Remove it. /status reports it: database.${name}.`)
  }
})

test('what only a section has is answered with its key, also at the top', () => {
  for (const [name, key] of Object.entries({ url: 'database.url', pass: 'database.password', boot: 'database.boot' })) {
    const { problems } = fromFile({ [name]: 'x' })
    assert.deepEqual(
      problems.map(({ suggestion }) => suggestion),
      [`Did you mean ${key}?`],
    )
  }
  assert.equal(fromFile({ database: 'app' }).problems[0]?.suggestion, 'Write it as {"url": value, ...}.')
})

test('a hint never names what does not exist', () => {
  const keys = [...coreSettings.keys()]
  const letters = fc.constantFrom('', 's', '_', 'x', 'Url', 'e')
  const word = fc.constantFrom(...keys, ...Object.keys(otherNames), ...keys.map((key) => key.split('.').pop() ?? ''))
  const spoilt = fc
    .tuple(word, fc.nat(), letters, fc.nat(2))
    .map(([text, at, added, cut]) => text.slice(0, at % text.length) + added + text.slice((at % text.length) + cut))
  const section = fc.constantFrom('', '', 'database', 'fallback', 'http', 'log', 'data')
  fc.assert(
    fc.property(spoilt, section, (name, inside) => {
      const { problems } = fromFile(inside === '' ? { [name]: 'x' } : { [inside]: { [name]: 'x' } })
      for (const { code, suggestion } of problems) {
        const [, meant] = /^Did you mean (\S+)\?$/.exec(suggestion) ?? []
        if (code !== 'SETTING_UNKNOWN' || meant === undefined) continue
        const isSection = keys.some((key) => key.startsWith(`${meant}.`))
        const again = fromFile({ [meant]: 'x' })
        const isKnown = !again.problems.some((problem) => problem.code === 'SETTING_UNKNOWN')
        assert.ok(isSection || isKnown, suggestion)
        assert.ok(inside === '' || meant.startsWith(`${inside}.`), `${inside}.${name}: ${suggestion}`)
      }
    }),
    { numRuns: 1000 },
  )
})

test('names of the data model in the environment are not read, and named with the variable that is', () => {
  const expected: Readonly<Record<string, string | null>> = {
    PRIMARY_URL: 'DATABASE_URL',
    FALLBACK_URL: 'FALLBACK_DATABASE_URL',
    DATABASE_FALLBACK_URL: 'FALLBACK_DATABASE_URL',
    DATABASE_POOL_SIZE: 'POOL_SIZE',
    DATABASE_ECHO: 'ECHO_SQL',
    DATABASE_CONNECTION_TIMEOUT: 'CONNECTION_TIMEOUT',
    DATABASE_MAX_RETRIES_PRIMARY: 'MAX_RETRIES_PRIMARY',
    FALLBACK_RETRY_DELAY_MS: 'RETRY_DELAY_MS',
    FALLBACK_ENABLED: 'ENABLE_FALLBACK',
    DATABASE_USER: 'DATABASE_USERNAME',
    FALLBACK_DRIVER: null,
    DRIVER: null,
    USERNAME: null,
    PASSWORD: null,
    DATABASE_SERVICE_HOST: null,
  }
  for (const [name, meant] of Object.entries(expected)) {
    const [found, ...more] = misspeltNames([name], coreSettings)
    assert.deepEqual(more, [])
    const hint = meant && `${name} is not a setting. Did you mean ${meant}, which is not set?`
    assert.equal(found?.message ?? null, hint)
    const layers = layersOfOptions({})
    const environment = { names: [name], value: (one: string) => (one === name ? '9' : undefined) }
    assert.deepEqual(changed(resolveSettings({ ...layers, environment }, {})), {})
  }
  const ofOthers = unreadNames(['DB_DRIVER', 'DB_POOL_SIZE', 'DB_ECHO']).map(({ suggestion }) => suggestion)
  assert.deepEqual(ofOthers, ['Use DATABASE_DRIVER.', 'Use POOL_SIZE.', 'Use ECHO_SQL.'])
})
