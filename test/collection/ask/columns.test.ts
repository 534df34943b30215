import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { parseListAddress } from '../../../src/collection/query/list-request.ts'
import type { House } from '../support.ts'
import { openHouses } from './stores.ts'

const small: Collection = {
  name: 'small',
  fields: { word: { type: 'string', maxLength: 20 }, rank: { type: 'integer', minimum: -9, maximum: 9 } },
  indexes: [{ fields: ['word'] }, { fields: ['rank'] }],
  required: ['rank'],
  maxRows: 1_000,
}

const { maxRows: _most, ...large }: Collection = { ...small, name: 'large' }

/** Tables of before, whose text is ordered by the rules of a language, and whose ranks may be missing. */
const tables: Readonly<Record<string, (name: string) => string>> = {
  sqlite: (name) =>
    `create table ${name} (id text not null primary key, word text collate nocase null, "rank" integer null, "createdAt" datetime not null, "updatedAt" datetime not null, version integer not null default 1, holdfast_attempt text null)`,
  postgresql: (name) =>
    `create table ${name} (id uuid not null primary key, word varchar(20) collate "en-x-icu" null, "rank" int null, "createdAt" timestamptz(3) not null, "updatedAt" timestamptz(3) not null, version int not null default 1, holdfast_attempt uuid null)`,
  mysql: (name) =>
    `create table ${name} (id varchar(36) not null primary key, word varchar(20) null, \`rank\` int null, createdAt datetime(3) not null, updatedAt datetime(3) not null, version int not null default 1, holdfast_attempt varchar(36) null) default character set utf8mb4 collate utf8mb4_general_ci`,
}

const words = ['b', 'A', 'a', 'B', 'Ab', null]

async function listed(house: House, collection: Collection, search: string): Promise<readonly unknown[]> {
  const of = { collection, asked: visibleFields(collection, adminCaller).asked }
  const seen: unknown[] = []
  let next: string | null = null
  do {
    const cursor: string = next === null ? '' : `&cursor=${next}`
    const { query } = parseListAddress(of, `${search}${cursor}`, { accepted: 'json', others: () => undefined })
    const outcome = await house.all.get(collection.name)?.lists.page(query)
    const page: { items: { word: unknown }[]; next: string | null } = JSON.parse(outcome?.value.text ?? '')
    seen.push(...page.items.map(({ word }) => word))
    next = page.next
  } while (next !== null)
  return seen
}

test('a table whose text has another order, and whose rows lack what is required by now, is asked as any other', async (t) => {
  const { all, run } = await openHouses(t, [small, large])
  for (const [name, house] of all) {
    for (const collection of [small, large]) await run(name, tables[name]?.(collection.name) ?? '')
    for (const collection of [small, large]) {
      for (const [at, word] of words.entries()) await house.rows(collection.name).create({ word, rank: at })
    }
    assert.deepEqual(await listed(house, small, 'sort=word&limit=2'), [null, 'A', 'Ab', 'B', 'a', 'b'], name)
    for (const collection of [small, large]) {
      assert.deepEqual(await listed(house, collection, 'word=a'), ['a'], name)
      assert.deepEqual((await listed(house, collection, 'word:gte=B')).toSorted(), ['B', 'a', 'b'], name)
      assert.deepEqual(await listed(house, collection, 'word:startsWith=A&sort=rank'), ['A', 'Ab'], name)
      assert.deepEqual(await listed(house, collection, 'word:in=a&word:in=b&sort=rank'), ['b', 'a'], name)
      // As an update by hand, or a row of before.
      const rank = name === 'mysql' ? '`rank`' : '"rank"'
      await run(name, `update ${collection.name} set ${rank} = null where ${rank} = 1`)
      assert.deepEqual(await listed(house, collection, 'sort=-rank&limit=2'), [null, 'Ab', 'B', 'a', 'b', 'A'], name)
      assert.deepEqual(await listed(house, collection, 'sort=rank&limit=1'), ['A', 'b', 'a', 'B', 'Ab', null], name)
    }
    await assert.rejects(listed(house, large, 'sort=word'), { code: 'QUERY_UNINDEXED' })
  }
})
