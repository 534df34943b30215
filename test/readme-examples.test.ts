import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../src/cli/entry.js'
import { blocksOf, commandsOf, type Page, readPage, readPages, sectionOf, wildcard } from './support/pages.ts'
import { type Exit, repository, runProcess, type Service, startService } from './support/process.ts'
import { type Cleanup, makeTempDir } from './support/temp.ts'

const first = readPage('README.md')
const source = readPage('src/README.md')
const collections = readPage('config/collections/README.md')
const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
const holdfast = join(repository, manifest.bin.holdfast)
/** What `import 'holdfast'` means: the build when it is newer than the sources, as for the service. */
const library = pathToFileURL(join(repository, isBuilt() ? 'dist/lib/src/index.js' : 'src/index.ts')).href
/** Without curl the same requests are made by `fetch`. */
const hasCurl = spawnSync('curl', ['--version']).status === 0

test('what the first screen shows is what the service answers', async (t) => {
  const service = await startService(t)
  const start = { ...first, text: sectionOf(first, 'Quick start') }
  const curls = commandsOf(start).filter(({ command }) => command.startsWith('curl '))
  assert.equal(curls.length, 2)
  for (const { command, printed } of curls) {
    const local = command.replace('localhost:7860', `127.0.0.1:${service.port}`)
    const stdout = hasCurl ? await runCurl(t, local) : await fetchAsCurl(local)
    assert.match(stdout, wildcard(printed), command)
  }
})

test('no page has an example that no test runs', async () => {
  const counted = Object.fromEntries(
    (await readPages()).map((page) => {
      const curls = commandsOf(page).filter(({ command }) => command.startsWith('curl ')).length
      return [page.path, [...['js', 'json', 'python', 'sh', 'bash'].map((one) => blocksOf(page, one).length), curls]]
    }),
  )
  assert.deepEqual(
    Object.fromEntries(Object.entries(counted).filter(([, counts]) => counts.some((count) => count > 0))),
    {
      'README.md': [1, 1, 0, 0, 0, 3],
      // The lines of curl and their collections: test/readme-collections.test.ts.
      'config/collections/README.md': [0, 3, 1, 0, 0, 36],
      // The first driver: test/plugins/first-driver.test.ts. The suite is called like this in test/plugins/examples.test.ts.
      'plugins/README.md': [2, 0, 0, 0, 0, 0],
      // The servers are examples of their own: test/config/server-examples.test.ts.
      'src/README.md': [2, 0, 0, 0, 0, 0],
    },
  )
})

test('every command of holdfast that a page shows runs', async (t) => {
  const shown = (await readPages()).flatMap((page) => commandsOf(page).map(({ command }) => command))
  const walk = ['When the database fails', 'When the disk is lost']
    .flatMap((title) => commandsOf({ ...first, text: sectionOf(first, title) }))
    .map(({ command }) => command)
  // Those of the walks alone: test/readme-walk.test.ts, test/readme-archive.test.ts.
  const isOfWalk = (command: string): boolean =>
    walk.includes(command) && shown.indexOf(command) === shown.lastIndexOf(command)
  const isToRun = (command: string): boolean => command.startsWith('npx holdfast ') && !isOfWalk(command)
  const commands = new Set(shown.filter(isToRun))
  assert.ok(commands.has('npx holdfast check') && commands.has('npx holdfast check --connect'))
  for (const command of commands) {
    const args = [holdfast, ...command.split(' ').slice(2)]
    const { code, stdout, stderr } = await runProcess(t, { args, env: { PORT: undefined, HOST: undefined } })
    assert.equal(code, 0, `${command}\n${stdout}\n${stderr}`)
  }
  const { stdout } = await runProcess(t, { args: [holdfast, 'check', '--json'] })
  assert.deepEqual(Object.keys(JSON.parse(stdout)).sort(), ['archive', 'fallback', 'primary', 'problems', 'settings'])
})

test('the lines of Python work', async (t) => {
  const [python = ''] = blocksOf(collections, 'python')
  assert.ok(python.trimEnd().split('\n').length <= 12, 'ten lines, and a blank one or two')
  if (spawnSync('python3', ['--version']).status !== 0) {
    t.diagnostic('no python3 on this machine: the lines were counted, not run')
    return
  }
  const service = await startService(t)
  const script = python.replace('http://localhost:7860', service.url)
  const { stdout, stderr } = await runProcess(t, { command: 'python3', args: ['-c', script] })
  assert.equal(stdout, 'from Python 1\n', stderr)
})

test('the collection of the first page is served as it stands, and checked without a word', async (t) => {
  const service = await serveCollection(t, first)
  await createTwice(service, { title: 'It does not', seenAt: '2026-01-02T03:04:05Z', steps: ['look'] })
})

async function serveCollection(t: Cleanup, page: Page): Promise<Service> {
  const [json = ''] = blocksOf(page, 'json')
  const service = await startService(t, { files: { 'config/collections/bugs.json': json } })
  const checked = await runProcess(t, { cwd: service.dir, args: [holdfast, 'check', '--json'] })
  const { problems } = JSON.parse(checked.stdout) as { problems: { severity: string }[] } // As `check` documents it.
  assert.deepEqual(
    problems.filter(({ severity }) => severity !== 'info'),
    [],
  )
  return service
}

/** Defaults, unique indexes and access are those of the declaration. */
async function createTwice(service: Service, bug: object): Promise<void> {
  const created = await service.send('POST', '/api/bugs', bug)
  assert.equal(created.status, 201, await created.clone().text())
  const row = (await created.json()) as { id: string; severity: string } // Its type is what the next line checks.
  assert.equal(row.severity, 'low')
  assert.equal((await service.send('POST', '/api/bugs', bug)).status, 409)
  assert.equal((await service.send('PATCH', `/api/bugs/${row.id}`, { severity: 'high' })).status, 401)
}

const address = `const at = \`http://127.0.0.1:\${listened.port}\``
const rate = `await fetch(\`\${at}/api/feedback\`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"rating":4}' })`
const mean = `console.log(await (await fetch(\`\${at}/mean\`)).text())`

test('the library example of the first page works', async (t) => {
  const [code = ''] = blocksOf(first, 'js')
  const { stdout, stderr, dir } = await runExample(t, code, [address, rate, mean, 'await holdfast.close()'])
  assert.equal(stdout, '[{"mean":4}]\n', stderr)
  assert.ok(existsSync(join(dir, 'data/production.db')), 'where the pages say that rows go')
})

test('the library examples of the page on the sources work', async (t) => {
  const [routes = '', entities = '', ...more] = blocksOf(source, 'js')
  assert.deepEqual(more, [], 'one that no test runs')
  const visit = `console.log(await (await fetch(\`\${at}/visits\`, { method: 'POST' })).text())`
  const own = await runExample(t, routes, [address, rate, mean, visit, 'await holdfast.close()'])
  assert.match(own.stdout, /^\[\{"mean":4\}\]\nlocal(-ephemeral)?\n$/, own.stderr)
  const noted = await runExample(t, entities, [])
  assert.match(noted.stdout, /^1 local(-ephemeral)?\n$/, noted.stderr)
})

/** Runs an example as a program of its own, on a free port, with further lines at its end. */
async function runExample(
  t: Cleanup,
  code: string,
  lines: readonly string[],
): Promise<Exit & { stdout: string; stderr: string; dir: string }> {
  const program = code
    .replace("'holdfast'", `'${library}'`)
    .replace('await holdfast.listen()', "const listened = await holdfast.listen({ port: 0, host: '127.0.0.1' })")
  const cwd = await makeTempDir(t, 'example')
  symlinkSync(join(repository, 'node_modules'), join(cwd, 'node_modules'))
  const feedback = readFileSync(join(repository, 'config/collections/feedback.json'), 'utf8')
  const files = { 'app.mjs': [program, ...lines].join('\n'), 'config/collections/feedback.json': feedback }
  return { ...(await runProcess(t, { args: ['app.mjs'], cwd, files })), dir: cwd }
}

async function runCurl(t: Cleanup, command: string): Promise<string> {
  const { stdout, code, stderr } = await runProcess(t, {
    command: '/bin/sh',
    args: ['-c', `${command} --silent --show-error`],
  })
  assert.equal(code, 0, `${command}\n${stderr}`)
  return stdout
}

async function fetchAsCurl(command: string): Promise<string> {
  const option = (name: string) => new RegExp(`-${name} (?:'([^']*)'|(\\S+))`).exec(command)?.slice(1).find(Boolean)
  const [url = ''] = /127\.0\.0\.1:\S+/.exec(command) ?? []
  const [name = 'accept', value = '*/*'] = option('H')?.split(': ') ?? []
  const body = option('d')
  const answer = await fetch(`http://${url}`, {
    method: option('X') ?? 'GET',
    headers: { [name]: value },
    ...(body === undefined ? {} : { body }),
  })
  return answer.text()
}
