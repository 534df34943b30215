import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireNode } from '../src/service/version.ts'
import { readPages } from './support/pages.ts'
import { repository } from './support/process.ts'

const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))

test('the lock file names no registry', () => {
  const named = Object.entries<{ resolved?: string }>(lock.packages).filter(([, entry]) => entry.resolved)
  assert.deepEqual(named, [])
})

test('the lock file has every package that any platform may want, with its integrity', () => {
  const entries = Object.entries<{ integrity?: string; optionalDependencies?: object }>(lock.packages)
  for (const [path, entry] of entries) {
    if (path !== '') assert.ok(entry.integrity, `${path} has no integrity`)
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      assert.ok(lock.packages[`node_modules/${name}`], `${name} is missing: npm ci would refuse the lock file`)
    }
  }
})

test('installing compiles nothing: the lock file says what the SQLite package says of itself', () => {
  // `npm ci` takes package metadata from the lock file, where npm does not keep "gypfile": false; it would run node-gyp,
  // which needs Python, make and headers from the net. After `npm install`, put the line back.
  assert.equal(lock.packages['node_modules/better-sqlite3'].gypfile, false)
})

test('the clients of databases are optional, and npm installs every package under an older Node without a warning', () => {
  // npm silently drops an optional package, and prints five lines for each other one, whose `engines` exclude the Node that
  // runs npm. That Node does not matter, because the project brings the one that runs it: after `npm install`, remove these
  // `engines` again. The warning about the project itself stays: who uses the library needs a Node of that age.
  const clients = Object.keys(manifest.optionalDependencies)
  assert.ok(clients.includes('pg') && clients.includes('mysql2') && clients.includes('@neondatabase/serverless'))
  const strict = Object.entries<{ engines?: { node?: string } }>(lock.packages).filter(
    ([path, { engines }]) => path !== '' && engines?.node !== undefined && !acceptsNode20(engines.node),
  )
  assert.deepEqual(strict, [])
})

/** Of a range as packages write it: each alternative names its lowest version first. */
function acceptsNode20(range: string): boolean {
  return range.split('||').some((alternative) => Number(/\d+/.exec(alternative)?.[0] ?? 0) <= 20)
}

test('every version is exact', () => {
  const loose = Object.entries({
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.devDependencies,
  }).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)))
  assert.deepEqual(loose, [])
})

test('all packages of MikroORM have one version', () => {
  const versions = Object.entries<{ version: string }>(lock.packages)
    .filter(([path]) => path.includes('node_modules/@mikro-orm/'))
    .map(([, entry]) => entry.version)
  assert.deepEqual([...new Set(versions)], ['7.2.1'])
})

test('what the package exports has a source, and so has its command', () => {
  for (const [door, target] of Object.entries<string | { default: string }>(manifest.exports)) {
    const file = typeof target === 'string' ? target : target.default
    const source = file.replace('./dist/lib/', './').replace(/(^.*\/src\/.*)\.js$/, '$1.ts')
    assert.ok(existsSync(join(repository, source)), `${door} is ${source}`)
  }
  assert.ok(existsSync(join(repository, manifest.bin.holdfast)))
})

test('the library refuses an old Node in one sentence, before anything else of it runs', () => {
  const oldest = manifest.engines.node.replace('>=', '')
  for (const version of [`${oldest}.0`, '22.18.0', '23.0.0', '24.21.0']) requireNode(version)
  for (const version of ['18.20.0', '20.20.2', '22.16.9']) {
    assert.throws(() => requireNode(version), {
      message: `Holdfast needs Node ${oldest} or newer; this is Node ${version}.`,
    })
  }
  const [first] = readFileSync(join(repository, 'src/index.ts'), 'utf8').split('\n')
  assert.equal(first, "import './service/version.ts'")
})

test('the package has the pages, the examples and the driver that its pages name, and no cache of this machine', async () => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout, stderr } = spawnSync('npm', args, { cwd: repository, encoding: 'utf8' })
  assert.notEqual(stdout, '', stderr)
  // A list, or an object by name: npm's versions differ.
  const [pack] = Object.values<{ files: { path: string }[] }>(JSON.parse(stdout))
  const paths = pack?.files.map(({ path }) => path) ?? []
  const wanted = [
    ...(await readPages()).map(({ path }) => path),
    'config/examples/drivers/notebook/notebook.mjs',
    'config/examples/drivers/ledger/ledger.mjs',
    'config/collection.schema.json',
  ]
  for (const path of [...wanted, manifest.bin.holdfast]) assert.ok(paths.includes(path), path)
  assert.deepEqual(
    paths.filter((path) => path.startsWith('dist/cache') || path.startsWith('data/')),
    [],
  )
})
