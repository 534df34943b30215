import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { rm, utimes } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import {
  isRoot,
  ordinaryUid,
  repository,
  runProcess,
  startArguments,
  startEnvironment,
  startProcess,
} from '../support/process.ts'
import { type Cleanup, type Files, makeTempDir, writeFiles } from '../support/temp.ts'
import { until } from '../support/until.ts'

// Plain JavaScript without declarations: an old Node reads it first.
const runtime: { isNewEnough(version: string): boolean; needsStripFlag(version: string): boolean } = await import(
  pathToFileURL(join(repository, 'src/cli/runtime.js')).href
)
const asUser = isRoot ? { uid: ordinaryUid } : {}

test('Node is new enough from 22.17 on, and strips types unasked from 22.18 on', () => {
  const versions = ['18.20.0', '20.20.2', '22.16.9', '22.17.0', '22.18.0', '23.0.0', '24.21.0']
  assert.deepEqual(versions.filter(runtime.isNewEnough), ['22.17.0', '22.18.0', '23.0.0', '24.21.0'])
  assert.deepEqual(versions.slice(3).filter(runtime.needsStripFlag), ['22.17.0'])
})

test('an old Node without the bundled one gets one sentence and exit 1', async (t) => {
  // The version is a property of the process that reads it, so that is what the test makes old.
  const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })"
  const dir = await makePackage(t, { 'old.cjs': old })
  const { code, stdout, stderr } = await runProcess(t, { cwd: dir, args: ['-r', './old.cjs', 'src/cli/start.js'] })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^Holdfast needs Node 22\.17 or newer and this is 20\.1\.0: .*\n$/)
})

test('the bundled Node takes over, with arguments, signals and the exit code passed through', async (t) => {
  const dir = await makePackage(t, {
    'node_modules/node/bin/node': `#!/bin/sh\nexec env TAKEN=yes "${process.execPath}" "$@"\n`,
    'src/cli/runtime.js': launcher('runtime.js').replace('isBundledElsewhere() &&', '!process.env.TAKEN &&'),
    'src/cli/entry.js': 'export const importEntry = (name) => import("../../" + name + ".js")',
    'cli.js': 'console.log(process.env.TAKEN, process.argv.slice(2).join()); process.exitCode = 7',
    'main.js': 'process.on("SIGTERM", () => process.exit(9)); console.log("up"); setInterval(() => {}, 1e6)',
  })
  await runProcess(t, { cwd: dir, command: '/bin/chmod', args: ['+x', 'node_modules/node/bin/node'] })
  const cli = await runProcess(t, { cwd: dir, args: ['src/cli/holdfast.js', 'check', '--json'], ...asUser })
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
  const stopped = await runProcess(t, { cwd: dir, command: '/bin/sh', args: ['run.sh'], ...asUser })
  assert.equal(stopped.stdout, '9\n')
})

test('a launcher that is killed takes the service with it', async (t) => {
  const dir = await makePackage(t, {
    'node_modules/node/bin/node': `#!/bin/sh\nexec env TAKEN=yes "${process.execPath}" "$@"\n`,
    'src/cli/runtime.js': launcher('runtime.js').replace('isBundledElsewhere() &&', '!process.env.TAKEN &&'),
    'src/cli/entry.js': 'export const importEntry = (name) => import("../../" + name + ".js")',
    'main.js':
      'import { writeFileSync } from "node:fs";' +
      'process.on("SIGTERM", () => { writeFileSync("ended", ""); process.exit(0) });' +
      'console.log(process.pid, process.env.HOLDFAST_LAUNCHER); setInterval(() => {}, 1e6)',
  })
  await runProcess(t, { cwd: dir, command: '/bin/chmod', args: ['+x', 'node_modules/node/bin/node'] })
  const running = await startProcess(t, { cwd: dir, args: ['src/cli/holdfast.js'] })
  const [, pid] = await until(() => /^(\d+) undefined\n/.exec(running.stdout()), { withinMs: 20_000 })
  t.after(() => isAlive(Number(pid)) && process.kill(Number(pid), 'SIGKILL'))
  running.child.kill('SIGKILL')
  await until(() => !isAlive(Number(pid)), { withinMs: 10_000, what: 'the service to end' })
  assert.ok(existsSync(join(dir, 'ended')), 'as after SIGTERM')
})

test('npm start hands SIGTERM to the service and leaves nothing behind', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  const dir = await makePackage(t, {
    'package.json': JSON.stringify({ type: 'module', scripts: { start: scripts.start } }),
    'dist/main.js':
      'import { writeFileSync } from "node:fs";' +
      'process.on("SIGTERM", () => { writeFileSync("ended", ""); process.exit(0) });' +
      'writeFileSync("started", String(process.pid)); setInterval(() => {}, 1e6)',
    'dist/built.json': '{}',
  })
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  const npm = await startProcess(t, { cwd: dir, command: 'npm', args: ['start'], env: { PATH } })
  const pid = await until(() => Number(readFileSync(join(dir, 'started'), 'utf8')) || null, { withinMs: 20_000 })
  t.after(() => isAlive(pid) && process.kill(pid, 'SIGKILL'))
  await npm.end('SIGTERM')
  assert.ok(existsSync(join(dir, 'ended')), npm.output())
  assert.equal(isAlive(pid), false)
})

test('a command runs from the build while it is newer than what it was made of, else from the sources', async (t) => {
  const dir = await makePackage(t, {
    'src/main.ts': 'const from: string = "sources"; console.log(from)',
    'src/other.ts': '',
    'plugins/one/one.ts': '',
    'plugins/one/README.md': '',
    'dist/main.js': 'console.log("build")',
    'dist/built.json': '{}',
  })
  const start = async () => (await runProcess(t, { cwd: dir, args: ['src/cli/holdfast.js'] })).stdout.trim()
  const nowS = Math.ceil(Date.now() / 1000)
  await age(dir, 'dist/built.json', nowS + 100)
  assert.equal(await start(), 'build')
  assert.ok(existsSync(join(dir, 'dist/cache')), 'what Node compiled is kept for the next start')
  await age(dir, 'plugins/one/README.md', nowS + 200)
  assert.equal(await start(), 'build', 'a page is not built')
  await age(dir, 'plugins/one/one.ts', nowS + 200)
  assert.equal(await start(), 'sources')
  await age(dir, 'dist/built.json', nowS + 300)
  assert.equal(await start(), 'build')
  await age(dir, 'src', nowS + 400) // As a removed file leaves its folder.
  assert.equal(await start(), 'sources')
  await rm(join(dir, 'dist/built.json'))
  assert.equal(await start(), 'sources')
})

test('npm start runs the build, which it makes first where it is absent or older than the sources', async (t) => {
  const dir = await makePackage(t, {
    'src/main.ts': 'console.log("sources")',
    'src/cli/build.js':
      'import { mkdirSync, writeFileSync } from "node:fs"; mkdirSync("dist", { recursive: true });' +
      'writeFileSync("dist/main.js", "console.log(\'build of " + process.argv.slice(2).join() + "\')");' +
      'if (process.env.BREAK) process.exit(3); writeFileSync("dist/built.json", "{}")',
  })
  const start = (env = {}) => runProcess(t, { cwd: dir, args: ['src/cli/start.js'], env })
  assert.equal((await start()).stdout, 'build of --stale,--optional\n')
  await writeFiles(dir, { 'dist/main.js': 'console.log("not built again")' })
  assert.equal((await start()).stdout, 'not built again\n')
  await age(dir, 'src/main.ts', Math.ceil(Date.now() / 1000) + 100)
  assert.equal((await start()).stdout, 'build of --stale,--optional\n')
  const failed = await start({ BREAK: 'yes' })
  assert.deepEqual([failed.code, failed.stdout], [3, ''], 'an older build is not started in its place')
})

test('npm start without what a build takes runs the build that is there, or the sources where there is none', async (t) => {
  const dir = await makePackage(t, {
    'src/cli/build.js': launcher('build.js'),
    'src/main.ts': 'console.log("sources")',
    'package.json': clientsOnly,
  })
  const start = () => runProcess(t, { cwd: dir, args: ['src/cli/start.js'] })
  const sources = await start()
  assert.equal(sources.stdout, 'sources\n')
  assert.match(sources.stderr, /^Not built: .*\. Holdfast runs from its sources\.\n$/)
  await writeFiles(dir, { 'dist/main.js': 'console.log("build")', 'dist/built.json': '{}' })
  await age(dir, 'src/main.ts', Math.ceil(Date.now() / 1000) + 100)
  const build = await start()
  assert.equal(build.stdout, 'build\n')
  assert.match(build.stderr, /^Not built: .*\. Holdfast runs from the build that is there\.\n$/)
})

test('npm start and the image bound the memory; what the environment says wins', async (t) => {
  const main =
    'console.log(process.env.NODE_OPTIONS); console.log(process.execArgv.join(" "), process.env.MALLOC_ARENA_MAX)'
  const dir = await makePackage(t, { 'dist/main.js': main, 'dist/built.json': '{}' })
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  const start = async (env: Record<string, string>) =>
    (await runProcess(t, { cwd: dir, command: '/bin/sh', args: ['src/cli/start.sh'], env: { PATH, ...env } })).stdout
  const own = startArguments.join(' ')
  assert.match(own, /^--min-semi-space-size=\d+$/)
  assert.equal(await start({}), `${startEnvironment.NODE_OPTIONS}\n${own} ${startEnvironment.MALLOC_ARENA_MAX}\n`)
  assert.match(startEnvironment.NODE_OPTIONS, /--max-old-space-size=512/)
  assert.equal(
    await start({ NODE_OPTIONS: '--max-old-space-size=99', MALLOC_ARENA_MAX: '3' }),
    `${startEnvironment.NODE_OPTIONS} --max-old-space-size=99\n${own} 3\n`,
  )
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  assert.match(scripts.start, /src\/cli\/start\.sh/)
  assert.match(readFileSync(join(repository, 'Dockerfile'), 'utf8'), /^CMD \["sh", "src\/cli\/start\.sh"\]$/m)
})

test('starting takes no arguments: what follows is judged by the command line, not ignored', async (t) => {
  for (const args of [
    ['src/cli/holdfast.js', 'start', '--port', '7915'],
    ['src/cli/start.js', '--port=7915'],
  ]) {
    const { code, stdout, stderr } = await runProcess(t, { cwd: repository, args })
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(
      stderr,
      /^holdfast: unknown option '--port'; set it in the environment: PORT=7915 holdfast start\. See .*\n$/,
    )
  }
  const secret = await runProcess(t, {
    cwd: repository,
    args: ['src/cli/holdfast.js', 'start', '--admin-token', 'Tr0ub4'],
  })
  assert.match(secret.stderr, /ADMIN_TOKEN=\.\.\. holdfast start/)
  assert.doesNotMatch(secret.stderr, /Tr0ub4/)
  const other = await runProcess(t, { cwd: repository, args: ['src/cli/holdfast.js', 'start', '--prot'] })
  assert.match(other.stderr, /^holdfast: unknown option '--prot'\. See "holdfast --help"\.\n$/)
})

test('an installed package has a build and no sources', async (t) => {
  const dir = await makePackage(t, { 'dist/main.js': 'console.log("build")', 'dist/built.json': '{}' })
  const { stdout } = await runProcess(t, { cwd: dir, args: ['src/cli/holdfast.js', 'start'] })
  assert.equal(stdout, 'build\n')
})

test('building does nothing, successfully, where what it takes is absent, unless it was asked for', async (t) => {
  const files = { 'src/cli/build.js': launcher('build.js'), 'src/main.ts': '', 'package.json': clientsOnly }
  const dir = await makePackage(t, files)
  const optional = await runProcess(t, { cwd: dir, args: ['src/cli/build.js', '--optional'] })
  assert.deepEqual([optional.code, optional.stdout], [0, ''])
  assert.match(
    optional.stderr,
    /^Not built: .*not installed: esbuild, typescript, swagger-ui-dist, aclient\. .* from its sources\.\n$/,
  )
  const asked = await runProcess(t, { cwd: dir, args: ['src/cli/build.js'] })
  assert.equal(asked.code, 1)
  assert.match(asked.stderr, /not installed: esbuild, typescript, swagger-ui-dist, aclient\./)
  assert.equal(existsSync(join(dir, 'dist')), false)
})

const clientsOnly = '{"type":"module","optionalDependencies":{"aclient":"1.0.0"}}'

/** A folder that looks like ours to the launchers. */
async function makePackage(t: Cleanup, files: Files): Promise<string> {
  const dir = await makeTempDir(t, 'launch')
  const launchers = ['runtime.js', 'entry.js', 'start.js', 'start.sh', 'holdfast.js'].map((name) => [
    `src/cli/${name}`,
    launcher(name),
  ])
  await writeFiles(dir, { 'package.json': '{"type":"module"}', ...Object.fromEntries(launchers), ...files })
  return dir
}

function age(dir: string, path: string, seconds: number): Promise<void> {
  return utimes(join(dir, path), seconds, seconds)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function launcher(name: string): string {
  return readFileSync(join(repository, 'src/cli', name), 'utf8')
}
