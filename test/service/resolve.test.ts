import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { readLayers } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { Secret } from '../../src/config/secret.ts'
import { resolveAll, resolveLayers } from '../../src/service/resolve.ts'
import { type Files, makeTempDir, writeFiles } from '../support/temp.ts'

async function resolveIn(t: TestContext, env: Record<string, string>, files: Files = {}) {
  const cwd = await makeTempDir(t, 'resolve')
  await writeFiles(cwd, files)
  const before = await readdir(cwd)
  const found = await resolveAll({ env, cwd })
  assert.deepEqual(await readdir(cwd), before, 'resolving makes no file')
  return { ...found, cwd, codes: found.problems.map(({ code }) => code) }
}

/** A driver that a stranger wrote: embedded, with a setting of its own. */
const duck = `export const driver = {
  contract: 1, name: 'duck', schemes: ['duck'], embedded: { files: (target) => [target.database] },
  settings: { threads: { doc: 'Threads.', format: 'natural', default: 2, env: 'DUCK_THREADS' } },
  parse: ({ text }, { plugins }) => ({ problems: [], target: {
    driver: 'duck', id: text.reveal(), host: null, port: null, database: text.reveal(), user: null,
    tls: String(plugins.duck?.threads) } }),
  describe: () => 'duck', classify: () => ({}), connect: async () => [],
}`

describe('resolving files, environment and plugins', () => {
  it('goes on with the built-in drivers when another makes the whole fail', async (t) => {
    const trap = duck.replace(
      /settings: .*\n/,
      'get settings() { if (new Error().stack.includes("declarationsOf")) throw new Error("trap"); return {} },\n',
    )
    const { codes, registry, problems } = await resolveIn(
      t,
      { DRIVERS: 'sqlite,./duck.mjs,postgresql' },
      { 'duck.mjs': trap },
    )
    assert.deepEqual(
      registry.all.map(({ name }) => name),
      ['sqlite', 'postgresql'],
    )
    assert.ok(codes.includes('DRIVER_LOAD_FAILED'), codes.join())
    assert.match(problems.find(({ code }) => code === 'DRIVER_LOAD_FAILED')?.message ?? '', /trap/)
  })

  const sqlite: readonly [string, string | null, readonly string[]][] = [
    ['sqlite:///./x.db', 'data/x.db', []],
    ['sqlite:x.db', 'data/x.db', []],
    ['SQLITE:///x.db', 'data/x.db', []],
    ['file:x.db', 'data/x.db', []],
    ['sqlite:///{cwd}/data/x.db', 'data/x.db', []],
    ['sqlite:////etc/x.db', null, ['ADDRESS_PATH_OUTSIDE']],
    ['sqlite:///../x.db', null, ['ADDRESS_PATH_OUTSIDE']],
    ['sqlite:///./', null, ['ADDRESS_PATH_INVALID']],
    ['"sqlite:///x.db"', 'data/x.db', ['ADDRESS_REPAIRED']],
    ['sqlite::memory:', ':memory:', ['SQLITE_MEMORY']],
    [':memory:', ':memory:', ['ADDRESS_REPAIRED', 'SQLITE_MEMORY']],
  ]
  for (const [address, database, codes] of sqlite) {
    it(`reads ${address} as ${database ?? 'nothing usable'}`, async (t) => {
      const cwd = await makeTempDir(t, 'resolve')
      const env = { DATABASE_URL: address.replace('{cwd}', cwd) }
      const { config, problems } = await resolveAll({ env, cwd })
      const expected = database === null || database === ':memory:' ? (database ?? undefined) : join(cwd, database)
      assert.equal(config.primary?.target.database, expected)
      assert.equal(config.declared, true)
      assert.equal(config.fallback?.target.database, join(cwd, 'data/production.db'))
      assert.deepEqual(
        problems.map(({ code }) => code),
        codes,
      )
    })
  }

  it('resolves the settings of a plugin that was named by its path', async (t) => {
    const env = { DRIVERS: 'sqlite,./duck.mjs', DUCK_THREADS: '7', FALLBACK_DATABASE_URL: 'duck:pond' }
    const { config, resolved, problems } = await resolveIn(t, env, { 'duck.mjs': duck })
    assert.deepEqual(problems, [])
    assert.equal(resolved.settings.plugins.duck?.threads, 7)
    assert.equal(config.fallback?.driver.name, 'duck')
    assert.equal(config.fallback?.target.tls, '7')
  })

  it('adds the built-in store when no named plugin can be one', async (t) => {
    const { config, codes } = await resolveIn(t, { DRIVERS: './absent' })
    assert.deepEqual(codes, ['DRIVER_NOT_FOUND', 'DRIVER_ADDED'])
    assert.equal(config.fallback?.driver.name, 'sqlite')
  })

  it('lets a plugin be the local store alone, also when a file writes the default address out', async (t) => {
    const files = { 'duck.mjs': duck, 'config/default.json': '{"fallback":{"url":"sqlite:///./production.db"}}' }
    const { config, registry, codes } = await resolveIn(t, { DRIVERS: './duck.mjs' }, files)
    assert.deepEqual(codes, [])
    assert.deepEqual(
      registry.all.map(({ name }) => name),
      ['duck'],
    )
    assert.equal(config.fallback?.target.database, 'duck:///./production.db')
  })

  it('takes drivers that are given in code in place of the setting', async (t) => {
    const cwd = await makeTempDir(t, 'resolve')
    const layers = await readLayers({ env: { DRIVERS: './absent' }, cwd })
    const given = await resolveAll({ env: {}, cwd })
    const sqlite = given.registry.byName('sqlite')
    assert.ok(sqlite)
    const { registry, problems } = await resolveLayers(layers, resolveSettings(layers), cwd, [sqlite, 'sqlite'])
    assert.deepEqual(registry.all, [sqlite])
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['DRIVER_NAME_TAKEN'],
    )
  })

  it('finds nothing to say about a lone port of Kubernetes but that it is none', async (t) => {
    const { config, problems } = await resolveIn(t, { DATABASE_PORT: 'tcp://10.0.0.11:5432' })
    assert.equal(config.declared, false)
    assert.deepEqual(
      problems.map(({ code, severity }) => [code, severity]),
      [['KUBERNETES_PORT_IGNORED', 'info']],
    )
  })

  it('names a database of an earlier deployment, unless it is used or empty', async (t) => {
    const old = { 'production.db': 'rows' }
    assert.deepEqual((await resolveIn(t, {}, old)).codes, ['LEGACY_DATABASE_FOUND'])
    assert.deepEqual((await resolveIn(t, {}, { 'production.db': '' })).codes, [])
    assert.deepEqual((await resolveIn(t, { DATA_DIR: '.' }, old)).codes, [])
    const cwd = await makeTempDir(t, 'resolve')
    await writeFiles(cwd, old)
    const [found] = (await resolveAll({ env: {}, cwd })).problems
    const line = found?.suggestion.replace('To use it: ', '') ?? ''
    const env = Object.fromEntries(
      line.split(' ').map((pair): [string, string] => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? '']),
    )
    const used = await resolveAll({ env, cwd })
    assert.deepEqual(used.problems, [])
    assert.equal(used.config.fallback?.target.database, join(cwd, 'production.db'))
  })

  it('shows the address to nobody', async (t) => {
    const { config, resolved } = await resolveIn(t, { DATABASE_URL: 'mysql://u:S3cr3t@h/db' })
    assert.ok(resolved.settings.database.url instanceof Secret)
    assert.doesNotMatch(JSON.stringify([config, resolved, resolved.lines()]), /S3cr3t/)
  })
})
