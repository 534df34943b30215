import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { isRoot, ordinaryUid, repository, runProcess, type Service, startService } from '../support/process.ts'
import { type Cleanup, cleanLater, giveTo, makeTempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { isInContext, parseDockerfile, textsOf } from './dockerfile.ts'
import { type Image, nodeIn, rehearse, snapshot } from './rehearsal.ts'

/** Megabytes that the production packages may have. */
const packagesMaxMb = 60

let image: Image
/** Of the production packages as npm installs them, before the image drops what it does not run. */
let packagesMb = 0
const cleaning: (() => void | Promise<void>)[] = []
const scope: Cleanup = { after: (clean) => void cleaning.push(clean) }

// Registered here: within `before`, it would run after the first test.
after(async () => {
  for (const clean of cleaning) await clean()
})

before(async () => {
  const dir = await makeTempDir(scope, 'image')
  chmodSync(dir, 0o755)
  cleanLater(scope, () => setWritable(dir, true))
  image = await rehearse(scope, dir, async (text, cwd) => {
    if (!text.startsWith('npm ci --omit=dev ')) return
    const size = await runProcess(scope, { cwd, command: 'du', args: ['-sm', 'node_modules'] })
    packagesMb = Number.parseInt(size.stdout, 10)
  })
})

test('the image is slim, runs as uid 1000, serves 7860 and checks its health', () => {
  assert.match(image.stage.base, /^node:24-slim$/)
  assert.equal(image.user, String(ordinaryUid))
  assert.deepEqual(textsOf(image.stage, 'EXPOSE'), ['7860'])
  assert.equal(textsOf(image.stage, 'HEALTHCHECK').length, 1)
})

test('the image holds the build, the configuration and production packages, and nothing to build with', async () => {
  const packages = readdirSync(join(image.workdir, 'node_modules'))
  for (const tool of ['esbuild', 'typescript', '@biomejs', 'node', 'fast-check', 'playwright-core']) {
    assert.ok(!packages.includes(tool), `${tool} is in the image`)
  }
  assert.deepEqual(readdirSync(join(image.workdir, 'node_modules/better-sqlite3/prebuilds')).length, 1)
  assert.deepEqual(readdirSync(image.workdir).sort(), [
    'LICENSE',
    'config',
    'dist',
    'node_modules',
    'package.json',
    'src',
  ])
  const sources = readdirSync(join(image.workdir, 'src'), { recursive: true, encoding: 'utf8' })
  assert.deepEqual(
    sources.filter((name) => name.endsWith('.ts')),
    [],
  )
})

test('the production packages stay within their size', (t) => {
  t.diagnostic(`production packages: ${packagesMb} MB`)
  assert.ok(packagesMb > 0 && packagesMb <= packagesMaxMb, `${packagesMb} MB`)
})

test('its command serves as uid 1000 with a read-only application folder, and writes to the data directory only', async (t) => {
  if (!isRoot) t.diagnostic('not root: rehearsed as the present user instead of uid 1000')
  const untouched = await snapshot(image.workdir)
  const service = await startContainer(t)
  const created = await service.send('POST', '/api/feedback', { rating: 5, comment: 'from the image' })
  assert.equal(created.status, 201, await created.clone().text())
  const location = created.headers.get('location') ?? ''
  assert.equal((await service.fetch(location)).status, 200)
  assert.deepEqual(await service.end('SIGTERM'), { code: 0, signal: null }, service.output())
  assert.deepEqual(await snapshot(image.workdir), untouched)
  const cache = readdirSync(join(image.workdir, 'dist/cache'))
  assert.deepEqual(cache.length, 1, 'what Node compiled for this user is in the image')
  const again = await startContainer(t)
  const row = (await (await again.fetch(location)).json()) as { comment: string }
  assert.equal(row.comment, 'from the image')
})

test('its check loads the driver of a third party, as the service does', async (t) => {
  const strangers = join(image.root, 'strangers')
  await cp(join(repository, 'config/examples/drivers/notebook'), join(strangers, 'notebook'), { recursive: true })
  await symlink(join(image.workdir, 'node_modules'), join(strangers, 'node_modules'))
  const env = {
    ...image.env,
    DRIVERS: join(strangers, 'notebook'),
    DATABASE_URL: 'notebook:notes.db',
    DATA_DIR: strangers,
  }
  const args = ['src/cli/holdfast.js', 'check', '--json']
  const { stdout } = await runProcess(t, { cwd: image.workdir, command: nodeIn(image.root), args, env })
  assert.equal(JSON.parse(stdout).primary?.driver, 'notebook', stdout)
})

test('its health check passes while it serves and fails when nothing does', async (t) => {
  const service = await startContainer(t)
  const [, command = ''] = /CMD\s+(\[.*\])$/.exec(textsOf(image.stage, 'HEALTHCHECK')[0] ?? '') ?? []
  const [, ...args]: string[] = JSON.parse(command)
  const check = () => runProcess(t, { args, env: { PORT: String(service.port) } })
  assert.equal((await check()).code, 0)
  await service.end('SIGTERM')
  assert.equal((await check()).code, 1)
})

test('SIGTERM ends it within 10 s, with the requests in flight answered', async (t) => {
  const service = await startContainer(t)
  const body = JSON.stringify({ rating: 4, comment: 'in flight' })
  const socket = connect(service.port, '127.0.0.1')
  t.after(() => socket.destroy())
  const answer = collect(socket)
  socket.write(
    `POST /api/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
  )
  await until(() => answer().includes('100 Continue'), { what: 'the request to be in flight' })
  const startedMs = performance.now()
  const ended = service.end('SIGTERM', 10_000)
  await until(() => refused(service.port), { what: 'the service to stop accepting' })
  socket.write(body)
  await until(() => /HTTP\/1\.1 201 /.test(answer()), { what: `the answer, which is so far: ${answer()}` })
  assert.deepEqual(await ended, { code: 0, signal: null }, service.output())
  t.diagnostic(`ended after ${Math.round(performance.now() - startedMs)} ms`)
})

test('the image is built from no more than it needs', () => {
  const ignore = readFileSync(join(repository, '.dockerignore'), 'utf8')
  assert.ok(isInContext(ignore, 'src/main.ts'))
  for (const path of [
    'data/production.db',
    '.git/config',
    'node_modules/x',
    'test/x.ts',
    '.env',
    'config/examples/x',
  ]) {
    assert.ok(!isInContext(ignore, path), path)
  }
})

test('the reader of Dockerfiles reads stages, comments and lines that go on', () => {
  const [first, second] = parseDockerfile('# hello\nFROM a AS b\nRUN x \\\n  y\nFROM c\nCMD ["z"]\n')
  assert.deepEqual(first, { name: 'b', base: 'a', instructions: [{ name: 'RUN', text: 'x    y' }] })
  assert.equal(second?.name, '1')
  assert.throws(() => parseDockerfile('RUN before'), /Before the first FROM/)
})

/** Runs CMD as the image would: its user, its environment, its application folder read-only. */
async function startContainer(t: Cleanup): Promise<Service> {
  const [command, ...args]: string[] = JSON.parse(textsOf(image.stage, 'CMD')[0] ?? '[]')
  assert.equal(command, 'sh')
  const temporary = join(image.root, 'tmp')
  await mkdir(temporary, { recursive: true })
  if (isRoot) await giveTo(temporary, ordinaryUid, ordinaryUid)
  await setWritable(image.workdir, false)
  const PATH = [dirname(nodeIn(image.root)), process.env.PATH].join(delimiter)
  return startService(t, {
    cwd: image.workdir,
    command: '/bin/sh',
    args,
    uid: Number(image.user),
    give: false,
    env: { ...image.env, PATH, HOME: '/nonexistent', TMPDIR: temporary, HOST: undefined, LOG_FORMAT: undefined },
  })
}

/** For a user who is not root a folder is read-only when its mode says so; root's own are so for uid 1000 already. */
async function setWritable(dir: string, writable: boolean): Promise<void> {
  if (isRoot || !existsSync(dir)) return
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), writable ? 0o755 : 0o555)
  }
  chmodSync(dir, writable ? 0o755 : 0o555)
}

function collect(socket: Socket): () => string {
  let text = ''
  socket.setEncoding('utf8').on('data', (part) => {
    text += part
  })
  socket.on('error', () => undefined)
  return () => text
}

function refused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}
