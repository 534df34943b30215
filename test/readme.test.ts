import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { ownColumns } from '../src/collection/declaration/names.ts'
import { pageRows } from '../src/collection/row/page.ts'
import { errorCatalogue } from '../src/errors.ts'
import { repository, runProcess, startService } from './support/process.ts'
import { problemCatalogue, readmeBlocks, withBlocks } from './support/readme.ts'
import { readSources } from './support/sources.ts'
import type { Cleanup } from './support/temp.ts'

const readme = readFileSync(join(repository, 'README.md'), 'utf8')
const collectionsReadme = readFileSync(join(repository, 'config/collections/README.md'), 'utf8')
/** Without curl the same requests are made by `fetch`. */
const hasCurl = spawnSync('curl', ['--version']).status === 0
const collectionSchema = JSON.parse(readFileSync(join(repository, 'config/collection.schema.json'), 'utf8'))
const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))

test('the tables are those of the code ("npm run readme" writes them)', async () => {
  for (const [path, blocks] of Object.entries(await readmeBlocks())) {
    const text = readFileSync(join(repository, path), 'utf8')
    assert.equal(withBlocks(text, blocks), text, path)
  }
})

test('every code that a request can be refused with is explained', () => {
  for (const code of Object.keys(errorCatalogue)) assert.ok(readme.includes(`| \`${code}\` |`), code)
})

test('every problem that the sources report is explained', async () => {
  const known = await problemCatalogue()
  const reported = [...readSources('src'), ...readSources('plugins')].flatMap((file) =>
    [...file.text.matchAll(/\bcode: '([A-Z_]+)',?\s+severity:/g)].map((match) => match[1] ?? ''),
  )
  assert.deepEqual(
    reported.filter((code) => !Object.hasOwn(known, code)),
    [],
  )
})

test('the front matter is what a Docker Space wants', () => {
  const [, matter = ''] = /^---\n([\s\S]*?)\n---\n/.exec(readme) ?? []
  const pairs = Object.fromEntries(matter.split('\n').map((line) => line.split(/:\s+/, 2)))
  assert.equal(pairs.sdk, 'docker')
  assert.equal(pairs.app_port, '7860')
  const colours = ['red', 'yellow', 'green', 'blue', 'indigo', 'purple', 'pink', 'gray']
  assert.ok(colours.includes(pairs.colorFrom) && colours.includes(pairs.colorTo))
  assert.ok(pairs.title && pairs.emoji && pairs.short_description.length <= 60)
})

test('what the first screen shows is what the service answers', async (t) => {
  const service = await startService(t)
  const shown = consoleBlocks().flat()
  const curls = shown.filter(({ command }) => command.startsWith('curl '))
  assert.equal(curls.length, 3)
  for (const { command, printed } of curls) {
    const local = command.replace('localhost:7860', `127.0.0.1:${service.port}`)
    const stdout = hasCurl ? await runCurl(t, local) : await fetchAsCurl(local)
    assert.match(stdout, wildcard(printed), command)
  }
})

test('the commands of npm are scripts of the package, and check runs', async (t) => {
  const scripts = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map((match) => match[1] ?? '')
  const builtin = ['ci', 'install', 'pack', 'rebuild']
  assert.deepEqual(
    scripts.filter((name) => !builtin.includes(name) && !manifest.scripts[name]),
    [],
  )
  assert.ok(readme.includes('npx holdfast check'))
  const args = [join(repository, manifest.bin.holdfast), 'check', '--json']
  const { code, stdout, stderr } = await runProcess(t, { args, env: { PORT: undefined, HOST: undefined } })
  assert.equal(code, 0, stderr)
  assert.deepEqual(Object.keys(JSON.parse(stdout)).sort(), ['fallback', 'primary', 'problems', 'settings'])
})

test('the lines of Python work', async (t) => {
  const [, python = ''] = /```python\n([\s\S]*?)```/.exec(readme) ?? []
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

test('the second collection is served as it stands, and checked without a word', async (t) => {
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(collectionsReadme) ?? []
  assert.ok(readme.includes(json), 'both pages show the same')
  const service = await startService(t, { files: { 'config/collections/bugs.json': json } })
  const created = await service.send('POST', '/api/bugs', { title: 'It does not', build: '0123abc', steps: ['look'] })
  assert.equal(created.status, 201, await created.clone().text())
  const row = (await created.json()) as { id: string; severity: string } // Its type is what the next line checks.
  assert.equal(row.severity, 'low')
  const repeated = await service.send('POST', '/api/bugs', { title: 'It does not', build: '0123abc' })
  assert.equal(repeated.status, 409)
  assert.equal((await service.send('PATCH', `/api/bugs/${row.id}`, { severity: 'high' })).status, 401)
  const args = [join(repository, manifest.bin.holdfast), 'check', '--json']
  const checked = await runProcess(t, { cwd: service.dir, args })
  assert.deepEqual(JSON.parse(checked.stdout).problems, [])
})

test('the names, types, keywords and limits that are told of collections are those of the code', () => {
  for (const name of ownColumns.slice(0, 4)) assert.ok(collectionsReadme.includes(`\`${name}\``), name)
  assert.ok(readme.includes(`\`limit\` is ${pageRows.default} unless told, and ${pageRows.max} at most.`))
  assert.ok(collectionsReadme.includes(`\`limit\` defaults to ${pageRows.default} and is at most ${pageRows.max}.`))
  const { allOf } = collectionSchema.properties.fields.additionalProperties
  for (const { if: its, then: rules } of allOf) {
    const type = its.properties.type.const
    const keywords = Object.keys(rules.properties).filter((word) => !['type', 'description', 'default'].includes(word))
    for (const text of [section('A collection'), collectionsReadme]) {
      const [, told = ''] = new RegExp(`^\\|.*\`${type}\`.*\\|(.*)\\|$`, 'm').exec(text) ?? []
      for (const keyword of keywords) assert.ok(told.includes(`\`${keyword}`), `${type}: ${keyword}`)
    }
  }
})

test('every durability that a write of today can have is explained', () => {
  for (const word of ['local', 'local-ephemeral', 'primary', 'fallback-only']) {
    assert.match(section('What the words say'), new RegExp(`^\\| \`${word}\` \\|`, 'm'))
  }
})

test('the library example works', async (t) => {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readme) ?? []
  const door = pathToFileURL(join(repository, 'src/index.ts')).href
  const program = code
    .replace("'holdfast'", `'${door}'`)
    .replace('holdfast.listen()', "holdfast.listen({ port: 0, host: '127.0.0.1' })")
  const probe = `
    const at = \`http://127.0.0.1:\${listened.port}\`
    const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"rating":4}' }
    await fetch(\`\${at}/api/feedback\`, json)
    console.log(await (await fetch(\`\${at}/mean\`)).text())
    console.log(await (await fetch(\`\${at}/visits\`, { method: 'POST' })).text())
    await holdfast.close()`
  const files = {
    'app.mjs': `${program.replace('await holdfast.listen', 'const listened = await holdfast.listen')}\n${probe}`,
  }
  const { stdout, stderr, dir } = await runProcess(t, { args: ['app.mjs'], files })
  assert.match(stdout, /^\[\{"mean":4\}\]\nlocal(-ephemeral)?\n$/, stderr)
  assert.ok(existsSync(join(dir, 'data/production.db')), 'where the page says that rows go')
})

test('every link inside the repository leads somewhere', () => {
  const folders = ['.', 'config', 'config/collections', 'config/examples']
  for (const folder of folders) {
    const text = readFileSync(join(repository, folder, 'README.md'), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? '')
    assert.ok(links.length > 0)
    assert.deepEqual(
      links.filter((link) => !existsSync(join(repository, folder, link))),
      [],
      folder,
    )
  }
})

test('the alert rules name metrics that are measured', () => {
  const rules = readFileSync(join(repository, 'config/examples/alerts.yml'), 'utf8')
  assert.equal(rules.match(/^\s+- alert: /gm)?.length, 4)
  const measured = readSources('src/observe')
    .map((file) => file.text)
    .join('\n')
  const named = [...rules.matchAll(/\bholdfast_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ''))
  assert.deepEqual(
    named.filter((name) => !measured.includes(name)),
    [],
  )
})

/** The text under a heading, up to the next of its kind. */
function section(title: string): string {
  return new RegExp(`^## ${title}\\n([\\s\\S]*?)(?=^## )`, 'm').exec(readme)?.[1] ?? ''
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

interface Shown {
  readonly command: string
  /** The lines below it. */
  readonly printed: string
}

/** The `console` blocks: lines that begin with `$ ` are commands, what follows is what they print. */
function consoleBlocks(): Shown[][] {
  return [...readme.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block = '']) =>
    block
      .split(/^\$ /m)
      .filter((part) => part !== '')
      .map((part) => {
        const [command = '', ...printed] = part.split('\n')
        return { command: command.replace(/\s+# .*$/, ''), printed: printed.join('\n').trim() }
      }),
  )
}

/** The text as a pattern in which `…` stands for anything. */
function wildcard(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}\\s*$`, 's')
}
