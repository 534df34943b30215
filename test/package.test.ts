import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { isRoot, ordinaryUid, repository, runProcess } from './support/process.ts'
import { makeTempDir, writeFiles } from './support/temp.ts'

const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
// Plain JavaScript without declarations: an old Node reads it first.
const runtime: { isNewEnough(version: string): boolean; needsStripFlag(version: string): boolean } = await import(
  pathToFileURL(join(repository, 'src/cli/runtime.js')).href
)
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

test('every version is exact', () => {
  const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)),
  )
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

test('Node is new enough from 22.17 on, and strips types unasked from 22.18 on', () => {
  const versions = ['18.20.0', '20.20.2', '22.16.9', '22.17.0', '22.18.0', '23.0.0', '24.21.0']
  assert.deepEqual(versions.filter(runtime.isNewEnough), ['22.17.0', '22.18.0', '23.0.0', '24.21.0'])
  assert.deepEqual(versions.slice(3).filter(runtime.needsStripFlag), ['22.17.0'])
})

test('an old Node without the bundled one gets one sentence and exit 1', async (t) => {
  const dir = await makeTempDir(t, 'old')
  const launch = (name: string) => readFileSync(join(repository, 'src/cli', name), 'utf8')
  // The version is a property of the process that reads it, so that is what the test makes old.
  const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })"
  await writeFiles(dir, {
    'package.json': '{"type":"module"}',
    'old.cjs': old,
    'src/cli/runtime.js': launch('runtime.js'),
    'src/cli/entry.js': launch('entry.js'),
    'src/cli/start.js': launch('start.js'),
  })
  const { code, stdout, stderr } = await runProcess(t, { cwd: dir, args: ['-r', './old.cjs', 'src/cli/start.js'] })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^Holdfast needs Node 22\.17 or newer and this is 20\.1\.0: .*\n$/)
})

test('the bundled Node takes over, with arguments, signals and the exit code passed through', async (t) => {
  const dir = await makeTempDir(t, 'launch')
  const launch = (name: string) => readFileSync(join(repository, 'src/cli', name), 'utf8')
  await writeFiles(dir, {
    'package.json': '{"type":"module"}',
    'node_modules/node/bin/node': `#!/bin/sh\nexec env TAKEN=yes "${process.execPath}" "$@"\n`,
    'src/cli/runtime.js': launch('runtime.js').replace('isBundledElsewhere() &&', '!process.env.TAKEN &&'),
    'src/cli/entry.js': 'export const importEntry = (name) => import("../../" + name + ".js")',
    'src/cli/holdfast.js': launch('holdfast.js'),
    'cli.js': 'console.log(process.env.TAKEN, process.argv.slice(2).join()); process.exitCode = 7',
    'main.js': 'process.on("SIGTERM", () => process.exit(9)); console.log("up"); setInterval(() => {}, 1e6)',
  })
  await runProcess(t, { cwd: dir, command: '/bin/chmod', args: ['+x', 'node_modules/node/bin/node'] })
  const uid = isRoot ? { uid: ordinaryUid } : {}
  const cli = await runProcess(t, { cwd: dir, args: ['src/cli/holdfast.js', 'check', '--json'], ...uid })
  assert.equal(cli.stdout, 'yes check,--json\n')
  assert.equal(cli.code, 7)
  const script = [
    'mkfifo fifo',
    `"${process.execPath}" src/cli/holdfast.js > fifo &`,
    'read -r _ < fifo',
    'kill -TERM $!',
    'wait $!',
    'echo $?',
  ]
  await writeFiles(dir, { 'run.sh': script.join('\n') })
  const stopped = await runProcess(t, { cwd: dir, command: '/bin/sh', args: ['run.sh'], ...uid })
  assert.equal(stopped.stdout, '9\n')
})
