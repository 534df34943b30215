import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { parseListAddress } from '../../../src/collection/query/list-request.ts'
import type { House } from '../support.ts'
import { openHouses } from './stores.ts'

const logs: Collection = {
  name: 'logs',
  fields: {
    kind: { type: 'string', maxLength: 20 },
    rank: { type: 'integer', minimum: 0, maximum: 100_000 },
    text: { type: 'string' },
  },
  indexes: [{ fields: ['kind'] }, { fields: ['rank'] }],
}

const count = 45_000

/** Rows 1 to 45,000: every tenth without a rank, every 9,000th says "found". */
const values = (i: string, id: string, text: string, instant: string) =>
  `select ${id}, case ${i} % 3 when 0 then 'a' else 'b' end, case ${i} % 10 when 0 then null else ${i} end, ${text}, ${instant}, ${instant}, 1`

const fill: Readonly<Record<string, string>> = {
  sqlite: `with recursive n (i) as (select 1 union all select i + 1 from n where i < ${count})
    insert into logs (id, kind, "rank", text, "createdAt", "updatedAt", version)
    ${values('i', "printf('%08d-0000-4000-8000-000000000000', i)", "case i % 9000 when 0 then 'found ' else 'log ' end || i", '0')} from n`,
  postgresql: `insert into logs (id, kind, "rank", text, "createdAt", "updatedAt", version)
    ${values('i', "cast(lpad(cast(i as text), 8, '0') || '-0000-4000-8000-000000000000' as uuid)", "case i % 9000 when 0 then 'found ' else 'log ' end || i", 'now()')} from generate_series(1, ${count}) as n (i)`,
  mysql: `insert into logs (id, kind, \`rank\`, text, createdAt, updatedAt, version)
    ${values('seq', "concat(lpad(seq, 8, '0'), '-0000-4000-8000-000000000000')", "concat(case seq % 9000 when 0 then 'found ' else 'log ' end, seq)", 'now()')} from seq_1_to_${count}`,
}

const of = { collection: logs, asked: visibleFields(logs, adminCaller).asked }

interface Page {
  readonly items: readonly { readonly text: string }[]
  readonly next: string | null
  readonly count?: number
  readonly countIsMore?: true
}

async function page(house: House, search: string): Promise<Page> {
  const { query } = parseListAddress(of, search, { accepted: 'json', others: () => undefined })
  return JSON.parse((await house.all.get('logs')?.lists.page(query))?.value.text ?? '')
}

/** How many rows each page has, and what the rows say. */
async function walk(house: House, search: string): Promise<readonly [readonly number[], readonly string[]]> {
  const sizes: number[] = []
  const seen: string[] = []
  let next: string | null = null
  do {
    const one: Page = await page(house, next === null ? search : `${search}&cursor=${next}`)
    sizes.push(one.items.length)
    seen.push(...one.items.map(({ text }) => text))
    next = one.next
  } while (next !== null)
  return [sizes, seen]
}

const found = ['found 9000', 'found 18000', 'found 27000', 'found 36000', 'found 45000']

test('what no index serves is looked for in 20,000 rows a page, and only "next" tells the end', async (t) => {
  const { all, run } = await openHouses(t, [logs])
  for (const [name, house] of all) {
    await house.store()
    await run(name, fill[name] ?? '')
    assert.deepEqual(await walk(house, 'text:contains=found'), [[3, 2, 0], found.toReversed()], name)
    assert.deepEqual(await walk(house, 'text:contains=found&sort=id&limit=2'), [[2, 2, 1], found], name)
    assert.deepEqual(await walk(house, 'text:contains=nothing'), [[0, 0, 0], []], name)
    // A third of the rows has this kind: an index leads to them, and they are all looked at.
    assert.deepEqual(await walk(house, 'kind=a&text:contains=found'), [[5], found.toReversed()], name)
    // Rows without a rank come first, in the order of their ids: those found are among them.
    assert.deepEqual(await walk(house, 'sort=rank&text:contains=found'), [[5, 0, 0], found], name)
    const [sizes, fours] = await walk(house, 'sort=-rank&text:contains=log 4&limit=1000')
    assert.deepEqual([fours.length, new Set(fours).size], [6_111, 6_111], `${name}: ${sizes}`)
    assert.deepEqual([fours[0], fours.at(-1)], ['log 44999', 'log 40'], name)
    const counted = await page(house, 'text:contains=found&count=true')
    assert.deepEqual([counted.count, counted.countIsMore], [3, true], name)
    const exact = await page(house, 'text:contains=found&count=exact')
    assert.deepEqual([exact.count, exact.countIsMore], [5, undefined], name)
    const all = await page(house, 'kind=b&count=true&limit=1')
    assert.deepEqual([all.count, all.countIsMore], [10_000, true], name)
    const few = await page(house, 'kind=a&rank:gte=44000&count=true&limit=1')
    assert.deepEqual([few.count, few.countIsMore], [300, undefined], name)
    await assert.rejects(page(house, 'sort=text'), { code: 'QUERY_UNINDEXED' })
    const second = await page(house, 'text:contains=found&page=2&limit=2')
    assert.deepEqual(
      second.items.map(({ text }) => text),
      ['found 27000'],
      name,
    )
    await assert.rejects(page(house, 'text:contains=found&page=3&limit=2'), { code: 'QUERY_TOO_COMPLEX' }, name)
    const paged = await page(house, 'text:startsWith=log&page=500&limit=20')
    assert.equal(paged.items[0]?.text, `log ${count - 9_982}`, name)
  }
})
