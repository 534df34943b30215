import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { adminCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { parseListAddress } from '../../../src/collection/query/list-request.ts'
import { cleanupOf } from '../../support/temp.ts'
import type { House } from '../support.ts'
import { openHouses } from './stores.ts'

const things: Collection = {
  name: 'things',
  fields: {
    word: { type: 'string', maxLength: 40 },
    text: { type: 'string' },
    rank: { type: 'integer', minimum: -100, maximum: 100 },
    big: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    key: { type: 'string', format: 'uuid' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    large: { type: 'string', format: 'int64' },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 } },
    numbers: { type: 'array', items: { type: 'number' } },
    meta: {
      type: 'object',
      properties: {
        lang: { type: 'string', maxLength: 10 },
        size: { type: 'integer' },
        ratio: { type: 'number' },
        on: { type: 'boolean' },
        since: { type: 'string', format: 'date-time' },
        cost: { type: 'string', format: 'decimal', scale: 1 },
        inner: { type: 'object', properties: { deep: { type: 'string', maxLength: 10 } } },
      },
    },
  },
  maxRows: 10_000,
}

const uuid = (at: number): string => `aaaaaaaa-0000-4000-8000-${String(at).padStart(12, '0')}`

const rows: readonly Readonly<Record<string, unknown>>[] = [
  {
    word: 'alpha',
    text: 'one % two_',
    rank: 1,
    big: 1,
    real: 0.5,
    flag: true,
    at: '2026-01-01T00:00:00Z',
    day: '2026-01-01',
    key: uuid(1),
    price: '1.50',
    large: '9007199254740993',
    tags: ['a', 'b'],
    numbers: [1, 2.5],
    meta: {
      lang: 'en',
      size: 2,
      ratio: 1.5,
      on: true,
      since: '2026-01-01T00:00:00.000Z',
      cost: '2.5',
      inner: { deep: 'x' },
      free: 12,
      list: [1],
    },
  },
  {
    word: 'Beta',
    text: 'ÄÖ straße',
    rank: -5,
    big: 9_007_199_254_740_991,
    real: -1e300,
    flag: false,
    at: '2026-01-01T00:00:00.001Z',
    day: '2025-12-31',
    key: uuid(2),
    price: '-10.00',
    large: '-9223372036854775808',
    tags: [],
    numbers: [],
    meta: { lang: 'de', size: -1, ratio: -0.25, on: false, cost: '-10.0', inner: { deep: 'x\u{1F600}é' }, free: true },
  },
  {
    word: 'beta',
    text: '',
    rank: 0,
    flag: true,
    price: '0.05',
    large: '7',
    tags: ['b', 'c"d\\'],
    numbers: [2.5000000000001],
    meta: { lang: 'EN', free: 'true' },
  },
  {
    word: '\u{1F600}x',
    text: 'x\u{FFFD}',
    rank: 100,
    real: 1e21,
    price: '9999999999999999.99',
    large: '9223372036854775807',
    meta: { free: null, size: 9_007_199_254_740_991 },
  },
  {
    word: '\u{FFFD}',
    text: 'Crash here',
    rank: 1,
    at: '1999-12-31T23:59:59.999Z',
    day: '0001-01-01',
    meta: { free: { a: 1 } },
  },
  {},
  { word: 'alphabet', meta: {} },
]

/** Conditions, and the positions of the rows for which they are true. */
const cases: readonly (readonly [string, readonly number[]])[] = [
  ['word=beta', [2]],
  ['word:ne=beta', [0, 1, 3, 4, 5, 6]],
  ['word:in=beta&word:in=alpha', [0, 2]],
  ['word:nin=beta&word:nin=alpha&word:nin=x', [1, 3, 4, 5, 6]],
  ['word:null=true', [5]],
  ['word:null=false', [0, 1, 2, 3, 4, 6]],
  ['word:gt=beta', [3, 4]],
  ['word:lt=alphabet', [0, 1]],
  ['word:startsWith=alpha', [0, 6]],
  ['word:startsWith=%F0%9F%98%80', [3]],
  ['word:startsWith=', [0, 1, 2, 3, 4, 6]],
  ['word:endsWith=eta', [1, 2]],
  ['word:endsWith=%F0%9F%98%80x', [3]],
  ['word:contains=et', [1, 2, 6]],
  ['word:icontains=BETA', [1, 2]],
  ['text:icontains=crash', [4]],
  ['text:icontains=%C3%84', [1]],
  ['text:icontains=%C3%A4', []],
  ['text:icontains=%25%20TWO_', [0]],
  ['text:icontains=%25two', []],
  ['text:icontains=t_o', []],
  ['text:icontains=%5C', []],
  ['text:contains=%25', [0]],
  ['text:contains=_', [0]],
  ['text=', [2]],
  ['rank:gte=1', [0, 3, 4]],
  ['rank:gte=9007199254740991', []],
  ['rank:lt=0', [1]],
  ['big=9007199254740991', [1]],
  ['real:gt=0.4', [0, 3]],
  ['real=1e21', [3]],
  ['flag=true', [0, 2]],
  ['flag:ne=true', [1, 3, 4, 5, 6]],
  ['at:gte=2026-01-01', [0, 1]],
  ['at:gt=2026-01-01T01:00:00 01:00', [1]],
  ['day:lt=2026-01-01', [1, 4]],
  [`key=${uuid(1).toUpperCase()}`, [0]],
  ['price:gt=0.05', [0, 3]],
  ['price=9999999999999999.99', [3]],
  ['price:in=1.5&price:in=-10', [0, 1]],
  ['large:gt=9007199254740992', [0, 3]],
  ['large=-9223372036854775808', [1]],
  ['tags:has=b', [0, 2]],
  ['tags:has=b&tags:has=a', [0]],
  ['tags:has=c"d\\', [2]],
  ['tags:null=true', [3, 4, 5, 6]],
  ['numbers:has=2.5', [0]],
  ['meta.lang=en', [0]],
  ['meta.lang:ne=en', [1, 2, 3, 4, 5, 6]],
  ['meta.lang:icontains=E', [0, 1, 2]],
  ['meta.lang:endsWith=n', [0]],
  ['meta.inner.deep:endsWith=%F0%9F%98%80%C3%A9', [1]],
  ['meta.inner.deep:endsWith=', [0, 1]],
  ['meta.lang:gt=de', [0]],
  ['meta.size:gte=2', [0, 3]],
  ['meta.size=9007199254740991', [3]],
  ['meta.ratio:lt=1', [1]],
  ['meta.on=true', [0]],
  ['meta.on:ne=true', [1, 2, 3, 4, 5, 6]],
  ['meta.since:gte=2026-01-01', [0]],
  ['meta.cost:lt=2.5', [1]],
  ['meta.cost=2.5', [0]],
  ['meta.inner.deep=x', [0]],
  ['meta.inner.deep:null=true', [2, 3, 4, 5, 6]],
  ['meta.free=12', [0]],
  ['meta.free=true', [1, 2]],
  ['meta.free:ne=true', [0, 3, 4, 5, 6]],
  ['meta.free:null=true', [3, 5, 6]],
  ['meta.free:startsWith=tr', [1, 2]],
  ['meta.free:in=12&meta.free:in=true', [0, 1, 2]],
  ['meta.list:null=false', [0]],
  ['meta:null=true', [5]],
  ['where={"OR":[{"rank":{"lte":0}},{"text":{"contains":"Crash"}}]}', [1, 2, 4]],
  ['where={"NOT":{"OR":[{"rank":{"lte":0}},{"text":{"contains":"Crash"}}]}}', [0, 3, 5, 6]],
  ['where={"NOT":{"NOT":{"rank":1}}}', [0, 4]],
  ['where={"AND":[]}', [0, 1, 2, 3, 4, 5, 6]],
  ['where={"OR":[]}', []],
  ['where={"NOT":{"tags":{"has":"b"}}}', [1, 3, 4, 5, 6]],
]

const sorts: readonly (readonly [string, readonly number[]])[] = [
  ['word', [5, 1, 0, 6, 2, 4, 3]],
  ['-word', [3, 4, 2, 6, 0, 1, 5]],
  ['rank', [5, 6, 1, 2, 0, 4, 3]],
  ['-rank', [3, 4, 0, 2, 1, 6, 5]],
  ['rank,-word', [6, 5, 1, 2, 4, 0, 3]],
  ['-flag,rank', [2, 0, 1, 5, 6, 4, 3]],
  ['price', [4, 5, 6, 1, 2, 0, 3]],
  ['-large', [3, 0, 2, 1, 6, 5, 4]],
  ['-at,day', [1, 0, 4, 2, 3, 5, 6]],
]

describe('lists', () => {
  const t = cleanupOf(after)
  let houses: ReadonlyMap<string, House>
  const ids = new Map<string, readonly string[]>()

  before(async () => {
    houses = (await openHouses(t, [things])).all
    for (const [name, house] of houses) {
      const made: string[] = []
      for (const row of rows) made.push((await house.rows('things').create(row)).value.id)
      ids.set(name, made)
    }
  })

  const of = { collection: things, asked: visibleFields(things, adminCaller).asked }

  async function listed(
    name: string,
    house: House,
    search: string,
  ): Promise<{ items: number[]; next: string | null; count?: number }> {
    const { query } = parseListAddress(of, search, { accepted: 'json', others: () => undefined })
    const { value } = (await house.all.get('things')?.lists.page(query)) ?? { value: { text: '' } }
    const { items, ...page } = JSON.parse(value.text)
    return { ...page, items: items.map(({ id }: { id: string }) => ids.get(name)?.indexOf(id)) }
  }

  it('have the rows for which a filter is true, in every database', async () => {
    const wrong: string[] = []
    for (const [name, house] of houses) {
      for (const [search, expected] of cases) {
        const { items } = await listed(name, house, search).catch((error: unknown) => ({
          items: [String(error), String(Reflect.get(Object(error), 'cause'))],
        }))
        if (String(items.toSorted()) !== String(expected))
          wrong.push(`${name} ${search}: ${items.toSorted()} instead of ${expected}`)
      }
    }
    assert.deepEqual(wrong, [])
  })

  it('have one order in every database, and a walk sees each row once, whatever the size of its pages', async () => {
    const wrong: string[] = []
    for (const [name, house] of houses) {
      for (const [sort, expected] of sorts) {
        for (const limit of [100, 3, 2, 1]) {
          const seen: number[] = []
          let next: string | null = null
          do {
            const cursor: string = next === null ? '' : `&cursor=${next}`
            const page: { items: number[]; next: string | null } = await listed(
              name,
              house,
              `sort=${sort}&limit=${limit}${cursor}`,
            )
            seen.push(...page.items)
            next = page.next
          } while (next !== null && seen.length < 20)
          if (String(seen) !== String(expected))
            wrong.push(`${name} ${sort} by ${limit}: ${seen} instead of ${expected}`)
        }
      }
    }
    assert.deepEqual(wrong, [])
  })

  it('count what a filter is true for', async () => {
    for (const [name, house] of houses) {
      assert.equal((await listed(name, house, 'rank=1&count=true&limit=1')).count, 2, name)
      assert.equal((await listed(name, house, 'rank=1&count=exact&limit=1')).count, 2, name)
    }
  })
})
