import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostService } from '../../support/hosted.ts'
import { blocksOf, readPage } from '../../support/pages.ts'
import { type Exit, runProcess } from '../../support/process.ts'
import { type Cleanup, makeTempDir, writeFiles } from '../../support/temp.ts'

const ratings = {
  name: 'ratings',
  fields: {
    rating: { type: 'integer', minimum: 1, maximum: 5 },
    model: { type: 'string', maxLength: 40, default: 'm1' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 } },
  },
  required: ['rating'],
  indexes: [{ fields: ['rating'] }],
  access: { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public', aggregate: 'public' },
}

/** A program that a person may write against the generated types. It prints what it saw. */
const program = `
import createClient from 'openapi-fetch'
import type { paths } from './api.js'

const client = createClient<paths, 'application/json' | 'application/problem+json'>({ baseUrl: process.argv[2] as string })

const ids: string[] = []
for (const rating of [2, 4, 5]) {
  const { data } = await client.POST('/api/ratings', { body: { rating, tags: ['new'] } })
  if (data !== undefined && 'id' in data) ids.push(data.id)
}
const path = { id: ids[0] as string }
const good = await client.GET('/api/ratings', { params: { query: { 'rating:gte': 4, 'model:in': ['m1', 'm2'], sort: '-rating' } } })
const found: number[] = good.data?.items.map(({ rating }) => rating) ?? []
const next: string | null | undefined = good.data?.next
const asked = await client.POST('/api/ratings/query', { body: { where: { NOT: { rating: { in: [4, 5] } } } } })
const changed = await client.PATCH('/api/ratings/{id}', { params: { path }, body: { price: '12.50', $inc: { rating: 1 } } })
const price: string | null | undefined = changed.data?.price
const got = await client.GET('/api/ratings/{id}', { params: { path } })
const refused = await client.POST('/api/ratings', { body: { rating: 6 } })
if (refused.error?.code !== 'ROW_INVALID') throw new Error('not refused')
const gone = await client.DELETE('/api/ratings/{id}', { params: { path } })
const missing = await client.GET('/api/ratings/{id}', { params: { path } })

// @ts-expect-error rating is a number
await client.GET('/api/ratings', { params: { query: { 'rating:gte': 'high' } } })
// @ts-expect-error numbers contain no text
await client.GET('/api/ratings', { params: { query: { 'rating:contains': 4 } } })
// @ts-expect-error a required field
await client.POST('/api/ratings', { body: { model: 'm2' } })

console.log(JSON.stringify({
  found, next, price,
  asked: asked.data?.items.map(({ rating }) => rating),
  got: [got.data?.rating, got.data?.model],
  gone: gone.response.status,
  missing: missing.error?.code,
}))
`

const manifest = {
  private: true,
  type: 'module',
  dependencies: { 'openapi-fetch': '0.17.0', 'openapi-typescript': '7.13.0', typescript: '5.9.3' },
}

const compilerOptions = {
  ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  ...{ module: 'nodenext', target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'], types: [] },
}

const adminToken = 'admin-token-for-the-tests'

/** Quick to find out that there is no registry. */
const impatient = ['--fetch-retries=0', '--fetch-timeout=10000']

const page = readPage('config/collections/README.md')

test('a program with generated types compiles and runs against the service', { timeout: 300_000 }, async (t) => {
  const dir = await makeTempDir(t)
  const reached = await npm(t, dir, ['view', 'openapi-fetch@0.17.0', 'version', ...impatient])
  if (reached.code !== 0) return t.skip('no npm registry can be reached')
  const collections = [JSON.stringify(ratings), ...blocksOf(page, 'json')]
  const files = collections.map((json) => [`config/collections/${JSON.parse(json).name}.json`, json])
  const service = await hostService(t, { files: Object.fromEntries(files), env: { ADMIN_TOKEN: adminToken } })
  await writeFiles(dir, {
    'package.json': JSON.stringify(manifest),
    'tsconfig.json': JSON.stringify({ compilerOptions, files: ['client.ts', 'page.ts', 'node.d.ts'] }),
    'node.d.ts': 'declare const process: { readonly argv: readonly string[] }',
    'client.ts': program,
    'page.ts': blocksOf(page, 'ts').join('\n').replace('http://localhost:7860', service.url),
  })
  const installed = await npm(t, dir, ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...impatient])
  if (installed.code !== 0) return t.skip('the npm registry that was reached did not serve the packages')
  const tool = async (path: string, ...args: readonly string[]): Promise<string> => {
    const done = await runProcess(t, { args: [`node_modules/${path}`, ...args], cwd: dir, withinMs: 120_000 })
    assert.equal(done.code, 0, done.stdout + done.stderr)
    return done.stdout
  }
  await tool('openapi-typescript/bin/cli.js', `${service.url}/openapi.json`, '-o', 'api.d.ts')
  await tool('typescript/bin/tsc', '-p', '.')
  const printed = await runProcess(t, { args: ['client.js', service.url], cwd: dir })
  assert.equal(printed.code, 0, printed.stderr)
  assert.deepEqual(JSON.parse(printed.stdout), {
    found: [5, 4],
    next: null,
    price: '12.50',
    asked: [2],
    got: [3, 'm1'],
    gone: 204,
    missing: 'ROW_NOT_FOUND',
  })
  await service.send('POST', '/api/books', { title: 'Emma', price: '12.50', state: 'offered' }, adminToken)
  const shown = await runProcess(t, { args: ['page.js'], cwd: dir })
  assert.equal(shown.stdout, 'Emma 12.50\n', shown.stderr)
})

function npm(t: Cleanup, cwd: string, args: readonly string[]): Promise<Exit & { stdout: string; stderr: string }> {
  const { HOME, npm_config_cache: cache } = process.env
  return runProcess(t, { command: 'npm', args, cwd, env: { HOME, npm_config_cache: cache }, withinMs: 120_000 })
}
