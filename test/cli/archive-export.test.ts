import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Collection } from '../../src/collection/declaration/declaration.ts'
import { idOf, pathIn, plain, Scene, type Server } from '../journal/bench.ts'
import { onServers } from '../journal/servers.ts'
import { cliEntry, runProcess } from '../support/process.ts'
import { makeTempDir } from '../support/temp.ts'

/** A collection with fields that not everyone sees. */
const people: Collection = {
  name: 'people',
  fields: {
    name: { type: 'string' },
    notes: { type: 'string', private: true },
    secret: { type: 'string', writeOnly: true },
  },
}

const noServer: Server = {
  url: () => '',
  createDatabase: async () => '',
  query: async () => [],
}

async function holdfast(t: TestContext, env: Record<string, string>, ...args: readonly string[]) {
  const files = Object.fromEntries(
    [people, plain].map((one) => [`config/collections/${one.name}.json`, JSON.stringify(one)]),
  )
  const { code, stdout, stderr } = await runProcess(t, { args: [cliEntry, ...args], env, files })
  return { code, stdout, stderr }
}

function linesOf(text: string): readonly Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** The collection of the default configuration has no table there. */
const unusable = 'holdfast: not exported, without a usable table: feedback.\n'

const insertSql =
  'insert into people (id, name, notes, secret, "createdAt", "updatedAt", version) values (?, ?, ?, ?, 1700000000123, 1700000000123, 1)'

test('the rows of a local file are in the archive, oldest first, without what not everyone sees', async (t) => {
  const scene = await Scene.make(t, noServer)
  const store = await scene.local('local.db', [people, plain])
  for (const letter of 'ba') await store.statements.write(insertSql, [idOf(letter), `é ${letter}`, 'n', 's'])
  const archive = join(await makeTempDir(t, 'archive'), 'a')
  const env = { DATA_DIR: scene.dir, FALLBACK_DATABASE_URL: 'sqlite:///./local.db', ARCHIVE_URL: `file://${archive}` }
  const wal = await stat(`${pathIn(scene, 'local.db')}-wal`)
  const done = await holdfast(t, env, 'archive', 'export')
  assert.deepEqual([done.code, done.stderr], [0, unusable])
  assert.match(done.stdout, /^Exported 2 rows of 2 collections to file:\/\/.*\/a\/tables \(\d+ B\)\.\n$/)
  const rows = linesOf(await readFile(join(archive, 'tables/people/00001.ndjson'), 'utf8'))
  assert.deepEqual(
    rows.map(({ id, name }) => [id, name]),
    [
      [idOf('a'), 'é a'],
      [idOf('b'), 'é b'],
    ],
  )
  assert.deepEqual(Object.keys(rows[0] ?? {}), ['id', 'name', 'createdAt', 'updatedAt', 'version'])
  const after = await stat(`${pathIn(scene, 'local.db')}-wal`)
  assert.ok(after.size >= wal.size, 'the WAL of the service was carried by another process')
  const json = await holdfast(t, env, 'archive', 'export', '--json')
  assert.deepEqual(
    { ...JSON.parse(json.stdout), label: '', bytes: 0 },
    {
      ...{
        event: 'exported',
        label: '',
        unavailable: ['feedback'],
        collections: 2,
        rows: 2,
        bytes: 0,
        written: 0,
        unchanged: 1,
        removed: 0,
      },
    },
  )
})

test('an export that cannot be says why', async (t) => {
  const scene = await Scene.make(t, noServer)
  const archive = await makeTempDir(t, 'archive')
  const env = { DATA_DIR: scene.dir, FALLBACK_DATABASE_URL: 'sqlite:///./local.db' }
  const unset = await holdfast(t, env, 'archive', 'export')
  assert.deepEqual(
    [unset.code, unset.stderr],
    [2, 'holdfast: ARCHIVE_URL is not set. Set it to a bucket or a folder.\n'],
  )
  const empty = await holdfast(t, { ...env, ARCHIVE_URL: `file://${archive}` }, 'archive', 'export')
  assert.equal(empty.code, 2)
  assert.match(empty.stderr, /There is no database file yet/)
  const wrong = await holdfast(t, { ...env, ARCHIVE_URL: 'ftp://example.org/x' }, 'archive', 'export')
  assert.equal(wrong.code, 2)
  const verb = await holdfast(t, env, 'archive', 'exprot')
  assert.equal(verb.code, 1)
})

test('the prefix of another store is refused', async (t) => {
  const scene = await Scene.make(t, noServer)
  const archive = await makeTempDir(t, 'archive')
  const run = async (file: string) => {
    await (await scene.local(file, [people, plain])).close(1_000)
    const env = { DATA_DIR: scene.dir, FALLBACK_DATABASE_URL: `sqlite:///./${file}`, ARCHIVE_URL: `file://${archive}` }
    return await holdfast(t, env, 'archive', 'export')
  }
  assert.equal((await run('one.db')).code, 0)
  const before = await readFile(join(archive, 'tables/export.json'), 'utf8')
  const refused = await run('two.db')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /has the export of another store/)
  assert.equal(await readFile(join(archive, 'tables/export.json'), 'utf8'), before)
})

onServers(
  'an export',
  (server) => {
    test('is of the primary where one is declared', async (t) => {
      const scene = await Scene.make(t, server())
      const store = await scene.primary([people, plain])
      const [id, name] = [idOf('a'), 'of the primary']
      await scene.server.query(
        `insert into people (id, name, "createdAt", "updatedAt", version) values ('${id}', '${name}', now(), now(), 1)`,
        scene.database,
      )
      await store.close(1_000)
      const archive = await makeTempDir(t, 'archive')
      const env = {
        DATABASE_URL: scene.server.url(scene.database),
        DATA_DIR: scene.dir,
        ARCHIVE_URL: `file://${archive}`,
      }
      const done = await holdfast(t, env, 'archive', 'export')
      assert.deepEqual([done.code, done.stderr], [0, unusable])
      const rows = linesOf(await readFile(join(archive, 'tables/people/00001.ndjson'), 'utf8'))
      assert.deepEqual(
        rows.map((row) => row.name),
        [name],
      )
    })
  },
  'PostgreSQL',
)
