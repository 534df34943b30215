import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { repository } from './support/process.ts'
import { readSources, type SourceFile } from './support/sources.ts'

/** Lowest first: a file may import from its own module or a lower one. A name stands for a folder or a file of `src`. */
const modules = [
  'errors.ts',
  'config',
  'disk',
  'driver',
  'driver/kit',
  'database/address',
  'database/machine',
  'database/store',
  'database/supervisor',
  'database/work',
  'conformance',
  'journal',
  'copy',
  'archive',
  'collection/declaration',
  'collection/filter',
  'collection/query',
  'collection/access',
  'collection/table',
  'collection/row',
  'collection/ask',
  'collection/write',
  'http/server',
  'http/auth',
  'http/status',
  'http/data',
  'http/docs',
  'http/page',
  'http/admin',
  'observe',
  'service',
  'index.ts',
  'main.ts',
  'cli',
]

/** Where a package may be imported. A trailing slash is a folder. Types may be named anywhere above its home. */
const homes: Readonly<Record<string, readonly string[]>> = {
  convict: ['src/config/'],
  polka: ['src/http/'],
  'rate-limiter-flexible': ['src/http/'],
  pino: ['src/observe/'],
  'pino-pretty': ['src/observe/'],
  'prom-client': ['src/observe/'],
  ajv: ['src/collection/'],
  'ajv-formats': ['src/collection/'],
  jose: ['src/http/auth/'],
  cors: ['src/http/server/'],
  aws4fetch: ['src/archive/'],
  'csv-stringify': ['src/http/data/'],
  re2js: ['src/collection/'],
  uuid: ['src/driver/'],
  '@mikro-orm/core': ['src/driver/', 'src/conformance/', 'src/database/', 'src/collection/', 'plugins/'],
  '@mikro-orm/sql': ['src/driver/', 'src/conformance/', 'src/database/', 'src/collection/', 'plugins/'],
  '@mikro-orm/sqlite': ['plugins/sqlite/'],
  'better-sqlite3': ['plugins/sqlite/'],
  '@mikro-orm/postgresql': ['plugins/postgresql/'],
  '@mikro-orm/mariadb': ['plugins/mysql/'],
  mysql2: ['plugins/mysql/'],
  '@neondatabase/serverless': ['plugins/neon/'],
  ws: ['plugins/neon/'],
  pg: ['plugins/postgresql/'],
  'pg-cursor': ['plugins/postgresql/'],
  kysely: ['src/database/', 'src/journal/', 'src/collection/', 'plugins/'],
}

/** Lines that a file may have: about 300. */
const linesMax = 320

/** Files that may be longer, each with the reason. */
const longFiles: Readonly<Record<string, string>> = {
  'src/errors.ts': 'the catalogue: one entry for each code',
}

/** Lines that a function may have, from its name to its last brace. */
const functionLinesMax = 60

/** Functions that may be longer, as `file: name`, each with the reason. */
const longFunctions: Readonly<Record<string, string>> = {
  'src/conformance/address.ts: conformAddresses': 'a list of tests',
  'src/conformance/connection.ts: conformConnections': 'a list of tests',
  'src/conformance/journal.ts: conformEntries': 'a list of tests',
  'src/conformance/journal.ts: conformRefusals': 'a list of tests',
  'src/conformance/journal-carrying.ts: conformCarrying': 'a list of tests',
  'src/conformance/read-only.ts: conformReadOnly': 'a list of tests',
  'src/conformance/statements.ts: conformStatements': 'a list of tests',
  'src/driver/kit/orm-options.ts: isolatedOrmOptions':
    'one object with every option that an environment variable could set',
}

/** Files that a folder may hold; those of its subfolders count there. */
const filesMax = 20

const sources = readSources('src')
const plugins = readSources('plugins')
const all = [...sources, ...plugins]

test('imports go one way: a file imports from its own module or a lower one', () => {
  const wrong = sources.flatMap((file) =>
    file.imports
      .filter((one) => one.path?.startsWith('src/') && rankOf(one.path) > rankOf(file.path))
      .map((one) => `${file.path} imports ${one.path}`),
  )
  assert.deepEqual(wrong, [])
})

test('every file of src is in a module', () => {
  assert.deepEqual(
    sources.filter((file) => rankOf(file.path) === Number.POSITIVE_INFINITY).map((file) => file.path),
    [],
  )
})

test('src imports no plugin, and neither imports a test', () => {
  const wrong = sources.flatMap((file) =>
    file.imports
      .filter((one) => one.path && !one.path.startsWith('src/'))
      .map((one) => `${file.path}: ${one.specifier}`),
  )
  assert.deepEqual(wrong, [])
})

test('a plugin sees its own folder and the contract', () => {
  const wrong = plugins.flatMap((file) =>
    file.imports
      .filter((one) => one.path && !isOpenToPlugin(file.path, one.path))
      .map((one) => `${file.path} imports ${one.path}`),
  )
  assert.deepEqual(wrong, [])
})

test('each package is declared and imported in its one home', () => {
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  const declared = { ...manifest.dependencies, ...manifest.optionalDependencies }
  const wrong: string[] = []
  for (const file of all) {
    for (const { specifier, path, typeOnly } of file.imports) {
      if (path !== null || isBuiltin(specifier)) continue
      const name = packageOf(specifier)
      const home = homes[name]
      if (!home) wrong.push(`${file.path}: ${name} has no home in this test`)
      else if (
        !home.some((folder) => file.path.startsWith(folder)) &&
        !(typeOnly && !file.path.startsWith('plugins/'))
      ) {
        wrong.push(`${file.path}: ${name} belongs to ${home.join(', ')}`)
      }
      if (!typeOnly && !declared[name]) wrong.push(`${file.path}: ${name} is not declared`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('built-in modules are imported as node:', () => {
  const bare = all.flatMap((file) =>
    file.imports
      .filter(({ specifier }) => !specifier.startsWith('node:') && builtinModules.includes(specifier))
      .map((one) => `${file.path}: ${one.specifier}`),
  )
  assert.deepEqual(bare, [])
})

test('no file imports itself by way of others', () => {
  const graph = new Map(all.map((file) => [file.path, file.imports.flatMap((one) => one.path ?? [])]))
  assert.deepEqual(findCycle(graph), null)
})

test('every relative import names a file that is there', () => {
  const known = new Set(all.map((file) => file.path))
  const missing = all.flatMap((file) =>
    file.imports
      .filter((one) => one.path?.endsWith('.ts') && !known.has(one.path))
      .map((one) => `${file.path}: ${one.specifier}`),
  )
  assert.deepEqual(missing, [])
})

test('no type is any', () => {
  const wrong = all.flatMap((file) => linesWith(file, /(?:[:<|&,(]\s*|\bas\s+|\bextends\s+)any\b(?!\s*:)/))
  assert.deepEqual(wrong, [])
})

test('nothing is exported as default but a plugin', () => {
  const wrong = all
    .filter((file) => !/^plugins\/([^/]+)\/\1\.ts$/.test(file.path))
    .flatMap((file) => linesWith(file, /^export default\b/))
  assert.deepEqual(wrong, [])
})

test('a file has one purpose: a short name in kebab case and not too many lines', () => {
  const named = all.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(basename(file.path)))
  const long = all.filter((file) => file.text.split('\n').length > linesMax && longFiles[file.path] === undefined)
  assert.deepEqual(named.concat(long).map(lineCount), [])
})

test('a folder holds at most 20 files of its own', () => {
  const files = new Map<string, number>()
  for (const { path } of all) files.set(dirname(path), (files.get(dirname(path)) ?? 0) + 1)
  const full = [...files].filter(([, count]) => count > filesMax)
  assert.deepEqual(full, [])
})

test('one exported name means one thing: no two files of src export the same', () => {
  const files = new Map<string, string[]>()
  for (const { path, code } of sources) {
    for (const name of exportedNames(code)) files.set(name, [...(files.get(name) ?? []), path])
  }
  const shared = [...files].filter(([, paths]) => paths.length > 1)
  assert.deepEqual(shared, [])
})

test('a function has at most 60 lines', () => {
  const long = all.flatMap(({ path, code }) =>
    findFunctions(code)
      .filter(({ lines }) => lines > functionLinesMax)
      .map(({ name, lines }) => ({ function: `${path}: ${name}`, lines })),
  )
  const unexplained = long.filter((one) => !Object.hasOwn(longFunctions, one.function))
  assert.deepEqual(unexplained, [])
  const known = long.map((one) => one.function)
  assert.deepEqual(
    Object.keys(longFunctions).filter((name) => !known.includes(name)),
    [],
    'exceptions that are no longer needed',
  )
})

test('no folder is a drawer for the rest, and none hides behind an index', () => {
  const wrong = all.filter((file) => /\/(utils?|common|types|helpers?|lib|misc)\/|\w\/\w+\/index\.ts$/.test(file.path))
  assert.deepEqual(
    wrong.map((file) => file.path),
    [],
  )
})

test('the function finder knows every form, and takes no branch for a function', () => {
  const code = [
    'export function one(',
    '  a: string,',
    '): { readonly b: string } {',
    '  if (',
    '    a',
    '  ) {',
    '    return 1',
    '  }',
    '}',
    'class Two {',
    '  async #three<T>(a: T): Promise<void> {',
    '    for (const b of a) {',
    '    }',
    '  }',
    '}',
    'const four = (a) => {',
    '  switch (a) {',
    '  }',
    '}',
    'five(function six({ a }: { a: string }) {',
    '})',
  ].join('\n')
  const found = findFunctions(code).map(({ name, lines }) => [name, lines])
  assert.deepEqual(found, [['one', 9], ['#three', 4], ['four', 4], ['six', 2]]) // biome-ignore format: one line says it
  const names = exportedNames('export const a = 1\nexport type { B, C as D } from 1\nexport abstract class E {}')
  assert.deepEqual(names, ['a', 'E'], 'what is passed on is not declared again')
})

test('the cycle finder finds a cycle, and the import reader reads every form', () => {
  assert.deepEqual(findCycle(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]])), ['b', 'c', 'b']) // biome-ignore format: one line says it
  const [self] = readSources('test', 'layering.test.ts')
  assert.ok(self?.imports.some((one) => one.path === 'test/support/process.ts'))
  assert.ok(self?.imports.some((one) => one.specifier === 'node:test' && !one.typeOnly))
})

function rankOf(path: string): number {
  const inner = path.slice('src/'.length)
  const rank = modules.findLastIndex((module) => inner === module || inner.startsWith(`${module}/`))
  if (rank < 0) return Number.POSITIVE_INFINITY
  return rank
}

function isOpenToPlugin(from: string, to: string): boolean {
  const folder = from.split('/').slice(0, 2).join('/')
  // Neon is PostgreSQL by another way in: it is made of that plugin's parts, and of nothing else of the house.
  const isRelated = folder === 'plugins/neon' && to.startsWith('plugins/postgresql/')
  return (
    isRelated ||
    to.startsWith(`${folder}/`) ||
    to === 'src/driver/driver.ts' ||
    to === 'src/driver/define-driver.ts' ||
    to === 'src/driver/address.ts' ||
    to.startsWith('src/driver/facet/') ||
    to.startsWith('src/driver/kit/')
  )
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier)
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function linesWith(file: SourceFile, pattern: RegExp): string[] {
  return file.code.split('\n').flatMap((line, at) => (pattern.test(line) ? `${file.path}:${at + 1}` : []))
}

function lineCount(file: SourceFile): string {
  return `${file.path} (${file.text.split('\n').length} lines)`
}

/** The names that a file declares and exports. */
function exportedNames(code: string): string[] {
  const declared = /^export (?:declare |abstract |async )*(?:const|let|function\*?|class|interface|type) ([\w$]+)/gm
  return [...code.matchAll(declared)].map(([, name = '']) => name)
}

interface FoundFunction {
  readonly name: string
  readonly lines: number
}

/** The functions with a body of several lines, by the indentation that the formatter gives them: no parser, just lines. */
function findFunctions(code: string): FoundFunction[] {
  const lines = code.split('\n')
  const indentOf = (line: string) => line.length - line.trimStart().length
  const found: FoundFunction[] = []
  for (const [at, line] of lines.entries()) {
    if (!/(?:\)|\):.*|=>) \{$/.test(line)) continue
    const indent = indentOf(line)
    let first = at
    // The last line of a long header: its first one is the nearest above with the same indentation.
    while (first > 0 && (/^\s*[)}\]>]/.test(lines[first] ?? '') || indentOf(lines[first] ?? '') > indent)) first -= 1
    const header = lines[first] ?? ''
    if (/^\s*(?:if|else|for|while|switch|try|catch|do|with)\b|^\s*$/.test(header)) continue
    const last = lines.findIndex(
      (other, below) => below > at && indentOf(other) === indent && other.trimStart().startsWith('}'),
    )
    found.push({ name: nameOf(header), lines: last - first + 1 })
  }
  return found
}

function nameOf(header: string): string {
  const named = /\bfunction\*? (\w+)/.exec(header) ?? /\b(?:const|let) (\w+) =/.exec(header)
  return (named ?? /(#?\w+)(?:<[^(]*>)?\(/.exec(header) ?? /(\w+)/.exec(header))?.[1] ?? header.trim()
}

/** The first cycle as a path from a file to itself, or null. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>()
  const visit = (at: string, path: readonly string[]): string[] | null => {
    if (path.includes(at)) return [...path.slice(path.indexOf(at)), at]
    if (done.has(at)) return null
    for (const next of graph.get(at) ?? []) {
      const cycle = visit(next, [...path, at])
      if (cycle) return cycle
    }
    done.add(at)
    return null
  }
  for (const start of graph.keys()) {
    const cycle = visit(start, [])
    if (cycle) return cycle
  }
  return null
}
