import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readLayers } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { Secret } from '../../src/config/secret.ts'
import { createHoldfast, loadSettings } from '../../src/index.ts'
import { ConfigSource, type ProcessParts } from '../../src/service/config-source.ts'
import { resolveLayers } from '../../src/service/resolve.ts'
import { Service } from '../../src/service/service.ts'
import { repository, startService } from '../support/process.ts'
import { cleanLater, type Files, makeTempDir, writeFiles } from '../support/temp.ts'
import { until } from '../support/until.ts'

/** How often functions of `src` were called in a process that has ended, by file and name, as V8 counted. */
async function callsIn(folder: string): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const file of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, file), 'utf8'))
    for (const { url, functions } of result) {
      const [, path] = url.split('/src/')
      for (const { functionName, ranges } of functions) counts.set(`${path} ${functionName}`, ranges[0].count)
    }
  }
  return counts
}

test('a start resolves the core settings once and the whole once, and cleans and parses each address once', async (t) => {
  const folder = await makeTempDir(t, 'calls')
  const files = { 'secret/url': '"sqlite:///./mine.db"\n' }
  const env = {
    NODE_V8_COVERAGE: folder,
    DATABASE_URL_FILE: 'secret/url',
    FALLBACK_DATABASE_URL: "'sqlite:///./spare.db'",
    DATABASE_BOOT: 'required',
  }
  const service = await startService(t, { args: [join(repository, 'src/main.ts')], env, files })
  await until(() => service.fetch('/health/ready').then(({ ok }) => ok), { withinMs: 20_000, what: 'the database' })
  await service.end()
  const calls = await callsIn(folder)
  const expected = {
    'config/resolve.ts resolveSettings': 2,
    'database/address/resolver.ts resolve': 1,
    'database/address/clean.ts cleanAddress': 2,
    // Both are repaired, and the form that is shown must be accepted, too.
    'database/address/validator.ts parseWith': 4,
  }
  const counted = Object.keys(expected).map((name) => [name, calls.get(name)])
  assert.deepEqual(Object.fromEntries(counted), expected)
})

/** A source over files of its own, as a process has it. */
async function sourceIn(t: TestContext, env: Record<string, string>, files: Files) {
  const cwd = await makeTempDir(t, 'source')
  await writeFiles(cwd, files)
  const layers = await readLayers({ env, cwd })
  const found = await resolveLayers(layers, resolveSettings(layers), cwd)
  const token = { token: new Secret('t'), source: { from: 'setting' }, problems: [] } as const
  const inForce: (string | undefined)[] = []
  const parts: ProcessParts = {
    cwd,
    found,
    token,
    data: { problems: [], find: async () => [] },
    reread: () => readLayers({ env, cwd }),
    inForce: ({ database }) => inForce.push(database.url?.reveal()),
  }
  const unused = () => assert.fail('nothing is run')
  const active = { rows: { run: unused, tables: unused, left: unused, now: unused }, entities: [], echo: unused }
  return { cwd, parts, inForce, source: new ConfigSource({}, parts, active as never) } // Nothing is run on a database.
}

test('a secret that was rotated counts once it is re-read, and one that was not costs nothing', async (t) => {
  const { cwd, source, inForce } = await sourceIn(t, { DATABASE_URL_FILE: 'url' }, { url: 'sqlite:///./a.db' })
  const before = source.current
  const fingerprint = await source.secretsFingerprint()
  assert.equal(await source.fresh(), before)
  assert.equal(source.current, before)
  assert.deepEqual(inForce, [])
  await writeFile(join(cwd, 'url'), 'sqlite:///./rotated.db')
  assert.notEqual(await source.secretsFingerprint(), fingerprint)
  assert.equal(source.current, before, 'from memory')
  const after = await source.fresh()
  assert.equal(after.primary?.target.database, join(cwd, 'data/rotated.db'))
  assert.equal(source.current, after)
  assert.deepEqual(inForce, ['sqlite:///./rotated.db'])
})

test('a reload that ends while secret files are re-read is not undone by them', async (t) => {
  const { cwd, source } = await sourceIn(t, { DATABASE_URL_FILE: 'url' }, { url: 'sqlite:///./a.db' })
  await source.load()
  await writeFile(join(cwd, 'url'), 'sqlite:///./b.db')
  const [, config] = await Promise.all([source.replace(null), source.fresh()])
  const { report } = await source.replace(null)
  assert.equal(report.applied, true)
  assert.deepEqual([source.current.primary?.target.database, config.primary?.target.database], Array(2).fill(join(cwd, 'data/b.db'))) // biome-ignore format: one comparison
})

test('a hundred requests to re-read while one is under way are one more, never at the same time', async (t) => {
  const { parts } = await sourceIn(t, {}, {})
  const release: (() => void)[] = []
  let [running, most, runs] = [0, 0, 0]
  const reread = async () => {
    runs++
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => release.push(resolve))
    running--
    return parts.found.layers
  }
  const service = new Service({}, { ...parts, reread })
  cleanLater(t, () => service.close({ withinMs: 100 }))
  const first = service.reread()
  await until(() => runs === 1)
  const others = Array.from({ length: 100 }, () => service.reread())
  release.pop()?.()
  await first
  await until(() => runs === 2)
  release.pop()?.()
  await Promise.all(others)
  assert.deepEqual({ runs, most }, { runs: 2, most: 1 })
})

test('settings of `loadSettings` are not resolved again', async (t) => {
  const cwd = await makeTempDir(t, 'source')
  const env = { DATABASE_URL: 'sqlite:///./mine.db', DATA_DIR: cwd }
  const settings = await loadSettings({ env })
  const holdfast = createHoldfast({ settings })
  cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
  assert.equal(holdfast.status().database.declared, true, 'known before it opens')
  assert.equal((await holdfast.open()).name, 'PRIMARY_CONNECTED')
  assert.equal(holdfast.status().settings.find(({ name }) => name === 'database.url')?.origin.from, 'environment')
})
