import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ownColumns } from '../src/collection/declaration/names.ts'
import { listLimits } from '../src/collection/query/list-query.ts'
import type { StateName } from '../src/database/machine/state.ts'
import { errorCatalogue } from '../src/errors.ts'
import { anchorsOf, blocksOf, commandsOf, type Page, readPage, readPages, sectionOf } from './support/pages.ts'
import { repository } from './support/process.ts'
import { problemCatalogue, readmeBlocks, withBlocks } from './support/readme.ts'
import { readSources } from './support/sources.ts'

const pages = await readPages()
const [first] = pages
const source = readPage('src/README.md')
const collections = readPage('config/collections/README.md')
const collectionSchema = JSON.parse(readFileSync(join(repository, 'config/collection.schema.json'), 'utf8'))
const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))

test('the first page has at most 8 KB, and every folder that a reader may open has its own', () => {
  assert.ok(Buffer.byteLength(first?.text ?? '') <= 8_192)
  const folders = ['config', 'config/collections', 'config/examples', 'plugins', 'src', 'test']
  const plugins = ['sqlite', 'postgresql', 'mysql', 'neon'].map((name) => `plugins/${name}`)
  const present = new Set(pages.map(({ folder }) => folder))
  assert.deepEqual(
    [...folders, ...plugins].filter((folder) => !present.has(folder)),
    [],
  )
})

test('the tables are those of the code ("npm run readme" writes them)', async () => {
  for (const [path, blocks] of Object.entries(await readmeBlocks())) {
    const text = readFileSync(join(repository, path), 'utf8')
    assert.equal(withBlocks(text, blocks), text, path)
  }
})

test('every code that a request can be refused with is explained', () => {
  for (const code of Object.keys(errorCatalogue)) assert.ok(source.text.includes(`| \`${code}\` |`), code)
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

test('every setting and code that a page names is one of the code', async () => {
  const code = [...readSources('src'), ...readSources('plugins'), ...readSources('test/support')]
  const blocks = Object.values(await readmeBlocks()).flatMap((block) => Object.values(block))
  const others = ['config/examples/kubernetes.yaml', 'config/examples/railway.env', 'package.json']
  const files = others.map((path) => readFileSync(join(repository, path), 'utf8'))
  const known = [...code.map(({ text }) => text), ...blocks, ...files].join('\n')
  for (const page of pages) {
    const quoted = page.text.matchAll(/`(?:503 )?([A-Z]+_[A-Z_]+[A-Z])(?:=[^`]*)?`/g)
    const words = new Set([...quoted].map(([, word = '']) => word))
    // NAME_FILE and DATABASE_PASSWORD_FILE stand for a whole family.
    const unknown = [...words].filter((word) => !known.includes(word.replace(/_FILE$/, '')))
    assert.deepEqual(
      unknown.filter((word) => word !== 'NODE_EXTRA_CA_CERTS'),
      [],
      page.path,
    )
  }
})

test('the front matter is what a Docker Space wants', () => {
  const [, matter = ''] = /^---\n([\s\S]*?)\n---\n/.exec(first?.text ?? '') ?? []
  const pairs = Object.fromEntries(matter.split('\n').map((line) => line.split(/:\s+/, 2)))
  assert.equal(pairs.sdk, 'docker')
  assert.equal(pairs.app_port, '7860')
  const colours = ['red', 'yellow', 'green', 'blue', 'indigo', 'purple', 'pink', 'gray']
  assert.ok(colours.includes(pairs.colorFrom) && colours.includes(pairs.colorTo))
  assert.ok(pairs.title && pairs.emoji && pairs.short_description.length <= 60)
})

test('the commands of npm are scripts of the package, with options that they have', () => {
  const builtin = ['ci', 'install', 'pack', 'rebuild']
  for (const page of pages) {
    const scripts = [...page.text.matchAll(/npm (?:run )?([a-z:]+)(?: -- (--[^`#\n]*))?/g)]
    for (const [line, name = '', given = ''] of scripts) {
      // "the npm of that Node" is no command.
      if (!line.includes('npm run') && !new RegExp(`[\`$&] ?${line}`).test(page.text)) continue
      const script = manifest.scripts[name]
      assert.ok(script !== undefined || builtin.includes(name), `${page.path}: ${line}`)
      const options = [...given.matchAll(/--([a-z-]+)/g)].map(([, option = '']) => option)
      if (options.length === 0) continue
      const folder = join(repository, script.split(' ').at(-1), '..')
      const declared = readFileSync(join(folder, 'options.ts'), 'utf8')
      for (const option of options) assert.match(declared, new RegExp(`\\b'?${option}'?: \\{ type:`), option)
    }
  }
})

test('the files that commands and maps of files name are there', () => {
  for (const page of pages) {
    const named = commandsOf(page).flatMap(
      ({ command }) => command.match(/(?<=^|\s)[\w.-]+(?:\/[\w.-]+)+(?=\s|$)/g) ?? [],
    )
    const inCommands = named.filter((path) => !path.startsWith('.') || path.startsWith('.ci/'))
    const inMaps = mapsOf(page).map((path) => join(page.folder, path))
    assert.deepEqual(
      [...inCommands.filter((path) => !path.startsWith('npx')), ...inMaps].filter(
        (path) => !existsSync(join(repository, path)),
      ),
      [],
      page.path,
    )
  }
  assert.ok(mapsOf(source).length > 60)
})

test('the map of each plugin names each of its files', () => {
  for (const page of pages.filter(({ path }) => /^plugins\/\w+\//.test(path))) {
    const maps = mapsOf(page)
    const files = readSources(page.folder).map(({ path }) => path.slice(page.folder.length + 1))
    const isNamed = (file: string): boolean =>
      maps.some((path) => path === file || (path.endsWith('/') && file.startsWith(path)))
    assert.deepEqual(
      files.filter((file) => !isNamed(file)),
      [],
      page.path,
    )
  }
})

test('the diagram has the six states', () => {
  const [diagram = ''] = blocksOf(source, 'mermaid')
  const states: Readonly<Record<StateName, true>> = {
    DISCONNECTED: true,
    CONNECTING_PRIMARY: true,
    CONNECTING_FALLBACK: true,
    PRIMARY_CONNECTED: true,
    FALLBACK_CONNECTED: true,
    CONNECTION_ERROR: true,
  }
  const drawn = [...diagram.matchAll(/^ {2}(\S+) --> (\w+)/gm)].flatMap(([, from = '', to = '']) => [from, to])
  assert.deepEqual([...new Set(drawn)].filter((name) => name !== '[*]').sort(), Object.keys(states).sort())
})

test('the names, types, keywords and limits of collections are those of the code', () => {
  for (const name of ownColumns.slice(0, 4)) assert.ok(collections.text.includes(`\`${name}\``), name)
  assert.ok(
    collections.text.includes(
      `\`limit\` defaults to ${listLimits.defaultRows} and is at most ${listLimits.rows.toLocaleString('en')}.`,
    ),
  )
  const { allOf } = collectionSchema.properties.fields.additionalProperties
  for (const { if: its, then: rules } of allOf) {
    const type = its.properties.type.const
    const keywords = Object.keys(rules.properties).filter((word) => !['type', 'description', 'default'].includes(word))
    const [, told = ''] = new RegExp(`^\\|.*\`${type}\`.*\\|(.*)\\|$`, 'm').exec(collections.text) ?? []
    for (const keyword of keywords) assert.ok(told.includes(`\`${keyword}`), `${type}: ${keyword}`)
  }
})

test('every durability that a write can have is explained', () => {
  const words = ['local', 'local-ephemeral', 'primary', 'primary-ephemeral', 'journal', 'journal-ephemeral', 'archived']
  for (const word of words) {
    assert.match(sectionOf(source, 'Durability'), new RegExp(`^\\| \`${word}\` \\|`, 'm'))
    assert.match(sectionOf(readPage('README.md'), 'Durability'), new RegExp(`\`${word}\``))
  }
})

test('every link inside the repository leads to a file, and to a heading where it names one', () => {
  for (const page of pages) {
    const links = [...page.text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g)]
    if (page.folder !== 'config/examples/spaces') assert.ok(links.length > 0, page.path)
    for (const [link, path = '', anchor] of links) {
      const target = path === '' ? page.path : join(page.folder, path)
      assert.ok(existsSync(join(repository, target)), `${page.path}: ${link}`)
      if (anchor === undefined) continue
      assert.ok(anchorsOf(readPage(target)).has(anchor), `${page.path}: ${link}`)
    }
  }
})

test('every page can be reached from the first', () => {
  const reached = new Set<string>()
  const visit = (page: Page): void => {
    if (reached.has(page.path)) return
    reached.add(page.path)
    for (const [, path = ''] of page.text.matchAll(/\]\((?!https?:)([^)#\s]*README\.md)/g))
      visit(readPage(join(page.folder, path)))
  }
  visit(readPage('README.md'))
  assert.deepEqual(
    pages.filter(({ path }) => !reached.has(path)).map(({ path }) => path),
    [],
  )
})

test('the alert rules name metrics that are measured', () => {
  const rules = readFileSync(join(repository, 'config/examples/alerts.yml'), 'utf8')
  assert.equal(rules.match(/^\s+- alert: /gm)?.length, 3)
  const measured = readSources('src/observe')
    .map((file) => file.text)
    .join('\n')
  const named = [...rules.matchAll(/\bholdfast_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ''))
  assert.deepEqual(
    named.filter((name) => !measured.includes(name)),
    [],
  )
})

/** The files in the first column of tables whose first heading is "File". */
function mapsOf(page: Page): readonly string[] {
  const tables = [...page.text.matchAll(/^\| File \|.*\n\|.*\n((?:\|.*\n)+)/gim)]
  return tables.flatMap(([, rows = '']) =>
    rows
      .split('\n')
      .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path)),
  )
}
