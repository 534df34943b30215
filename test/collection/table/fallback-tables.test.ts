import assert from 'node:assert/strict'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { ensureTables } from '../../../src/collection/table/tables.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { openScene, pathIn } from '../../journal/bench.ts'
import { makeTempDir } from '../../support/temp.ts'
import { everything } from '../support.ts'

const strict: Collection = { ...everything, required: ['small', 'word', 'at', 'meta'] }

/** No server is needed to open what stands next to it. */
const away = 'postgresql://app@127.0.0.1:1/app'

async function requiredIn({ statements }: Store): Promise<readonly string[]> {
  const rows = await statements.read(`select name from pragma_table_info('everything') where "notnull" = 1`, [])
  return rows.map(({ name }) => String(name))
}

test('next to a primary only the own columns of a table are required: a copy keeps whatever the primary has', async (t) => {
  const scene = openScene(t, away, await makeTempDir(t))
  const fallback = await scene.fallback('fallback.db', [strict])
  assert.deepEqual(await requiredIn(fallback), ['id', 'createdAt', 'updatedAt', 'version'])
  const indexes = await fallback.statements.read(`select name from pragma_index_list('everything')`, [])
  assert.ok(indexes.some(({ name }) => name === 'everything_word_unique'))
})

test('a table of a file that was made before keeps what it requires, and is used', async (t) => {
  const scene = openScene(t, away, await makeTempDir(t))
  const first = await scene.fallback('fallback.db', [everything])
  await first.close(1_000)
  const file = new Database(pathIn(scene))
  file.exec(`drop table everything;
    create table everything (id text not null primary key, small integer not null, word varchar(40) not null,
      createdAt datetime not null, updatedAt datetime not null, version integer not null default 1, holdfast_attempt text)`)
  file.close()
  const again = await scene.fallback('fallback.db', [strict])
  assert.deepEqual(await requiredIn(again), ['id', 'small', 'word', 'createdAt', 'updatedAt', 'version'])
  const report = await ensureTables(again, [strict], 'additive', AbortSignal.timeout(5_000))
  assert.deepEqual([report.problems, report.applied], [[], []])
})

test('a local store keeps the rules of its tables', async (t) => {
  const scene = openScene(t, away, await makeTempDir(t))
  const local = await scene.local('local.db', [strict])
  assert.deepEqual(await requiredIn(local), ['id', 'small', 'word', 'at', 'meta', 'createdAt', 'updatedAt', 'version'])
})
