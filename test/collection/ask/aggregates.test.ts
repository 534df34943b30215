import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { adminCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { parseAggregateAddress } from '../../../src/collection/query/aggregate-request.ts'
import { cleanupOf } from '../../support/temp.ts'
import type { House } from '../support.ts'
import { openHouses } from './stores.ts'

const sales: Collection = {
  name: 'sales',
  fields: {
    shop: { type: 'string', maxLength: 20 },
    rank: { type: 'integer', minimum: -100, maximum: 100 },
    big: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    large: { type: 'string', format: 'int64' },
    key: { type: 'string', format: 'uuid' },
    meta: { type: 'object' },
  },
}

const most = 9_007_199_254_740_991

const rows: readonly Readonly<Record<string, unknown>>[] = [
  {
    shop: 'a',
    rank: 1,
    big: most,
    real: 0.5,
    flag: true,
    at: '2026-01-31T23:59:59.999Z',
    day: '2026-01-31',
    price: '0.10',
    large: '9223372036854775807',
  },
  {
    shop: 'a',
    rank: 2,
    big: 1,
    real: 0.25,
    flag: false,
    at: '2026-02-01T00:00:00Z',
    day: '2026-02-01',
    price: '0.20',
    large: '9223372036854775807',
  },
  {
    shop: 'b',
    rank: -3,
    big: -most,
    real: -1.5,
    flag: true,
    at: '2025-02-01T00:30:00Z',
    price: '-9999999999999999.99',
    large: '-1',
  },
  {
    shop: 'b',
    rank: 4,
    big: -most,
    real: 1e308,
    flag: true,
    at: '2025-02-01T01:00:00Z',
    price: '-0.01',
    meta: { a: 1 },
  },
  { shop: 'B', real: 1e308, price: '9999999999999999.99' },
  { rank: 2, price: '0.30' },
  {},
]

const maxText = '9223372036854775807'

/** Query strings, and what they are answered with. */
const cases: readonly (readonly [string, unknown])[] = [
  ['', [{ count: 7 }]],
  [
    'select=count,rank:sum,rank:avg,rank:min,rank:max,rank:count,rank:distinct',
    [{ count: 7, 'rank:sum': 6, 'rank:avg': 1.2, 'rank:min': -3, 'rank:max': 4, 'rank:count': 5, 'rank:distinct': 4 }],
  ],
  [
    'group=shop',
    [
      { shop: null, count: 2 },
      { shop: 'B', count: 1 },
      { shop: 'a', count: 2 },
      { shop: 'b', count: 2 },
    ],
  ],
  [
    'group=shop&sort=-count',
    [
      { shop: null, count: 2 },
      { shop: 'a', count: 2 },
      { shop: 'b', count: 2 },
      { shop: 'B', count: 1 },
    ],
  ],
  [
    'group=shop&sort=-shop',
    [
      { shop: 'b', count: 2 },
      { shop: 'a', count: 2 },
      { shop: 'B', count: 1 },
      { shop: null, count: 2 },
    ],
  ],
  [
    'group=shop&select=price:sum&sort=price:sum',
    [
      { shop: 'b', 'price:sum': '-10000000000000000.00' },
      { shop: 'a', 'price:sum': '0.30' },
      { shop: null, 'price:sum': '0.30' },
      { shop: 'B', 'price:sum': '9999999999999999.99' },
    ].sort(
      (one, other) =>
        Number(one['price:sum']) - Number(other['price:sum']) ||
        Number(one.shop !== null) - Number(other.shop !== null),
    ),
  ],
  [
    'group=shop&select=large:sum,large:max&sort=-large:sum',
    [
      { shop: 'a', 'large:sum': '18446744073709551614', 'large:max': maxText },
      { shop: 'b', 'large:sum': '-1', 'large:max': '-1' },
      { shop: null, 'large:sum': null, 'large:max': null },
      { shop: 'B', 'large:sum': null, 'large:max': null },
    ],
  ],
  [
    'select=price:min,price:max,price:avg',
    [{ 'price:min': '-9999999999999999.99', 'price:max': '9999999999999999.99', 'price:avg': 0.59 / 6 }],
  ],
  [
    'group=at:month&select=count',
    [
      { 'at:month': null, count: 3 },
      { 'at:month': '2025-02-01T00:00:00.000Z', count: 2 },
      { 'at:month': '2026-01-01T00:00:00.000Z', count: 1 },
      { 'at:month': '2026-02-01T00:00:00.000Z', count: 1 },
    ],
  ],
  ['group=at:hour&select=count&sort=-at:hour&limit=1', [{ 'at:hour': '2026-02-01T00:00:00.000Z', count: 1 }]],
  [
    'group=at:day,flag&at:null=false&sort=-count,flag',
    [
      { 'at:day': '2025-02-01T00:00:00.000Z', flag: true, count: 2 },
      { 'at:day': '2026-02-01T00:00:00.000Z', flag: false, count: 1 },
      { 'at:day': '2026-01-31T00:00:00.000Z', flag: true, count: 1 },
    ],
  ],
  [
    'group=at:year&select=at:min,at:max',
    [
      { 'at:year': null, 'at:min': null, 'at:max': null },
      {
        'at:year': '2025-01-01T00:00:00.000Z',
        'at:min': '2025-02-01T00:30:00.000Z',
        'at:max': '2025-02-01T01:00:00.000Z',
      },
      {
        'at:year': '2026-01-01T00:00:00.000Z',
        'at:min': '2026-01-31T23:59:59.999Z',
        'at:max': '2026-02-01T00:00:00.000Z',
      },
    ],
  ],
  [
    'group=price&price:lt=0',
    [
      { price: '-9999999999999999.99', count: 1 },
      { price: '-0.01', count: 1 },
    ],
  ],
  [
    'group=day,large&day:null=false&sort=-day',
    [
      { day: '2026-02-01', large: maxText, count: 1 },
      { day: '2026-01-31', large: maxText, count: 1 },
    ],
  ],
  [
    'select=shop:min,shop:max,shop:distinct,day:max',
    [{ 'shop:min': 'B', 'shop:max': 'b', 'shop:distinct': 3, 'day:max': '2026-02-01' }],
  ],
  ['shop=a&select=real:sum,real:avg,real:max', [{ 'real:sum': 0.75, 'real:avg': 0.375, 'real:max': 0.5 }]],
  ['shop=B&select=real:sum,big:sum', [{ 'real:sum': 1e308, 'big:sum': null }]],
  [
    'group=shop&select=big:avg&sort=-big:avg&shop:null=false',
    [
      { shop: 'a', 'big:avg': 4503599627370496 },
      { shop: 'b', 'big:avg': -most },
      { shop: 'B', 'big:avg': null },
    ],
  ],
  ['select=meta:count&shop=b', [{ 'meta:count': 1 }]],
  [
    'shop=nothing&select=count,rank:sum,price:avg,at:max',
    [{ count: 0, 'rank:sum': null, 'price:avg': null, 'at:max': null }],
  ],
  ['shop=nothing&group=shop', []],
]

describe('aggregates', () => {
  const t = cleanupOf(after)
  let houses: ReadonlyMap<string, House>

  before(async () => {
    houses = (await openHouses(t, [sales])).all
    for (const house of houses.values()) for (const row of rows) await house.rows('sales').create(row)
  })

  const of = { collection: sales, asked: visibleFields(sales, adminCaller).asked }

  async function compute(house: House, search: string) {
    const outcome = await house.all.get('sales')?.aggregates.compute(parseAggregateAddress(of, search))
    return JSON.parse(outcome?.value ?? '')
  }

  it('are the same in every database: exact, null the smallest, groups in one order', async () => {
    const wrong: string[] = []
    for (const [name, house] of houses) {
      for (const [search, expected] of cases) {
        const answer = await compute(house, search).catch((error: unknown) => ({
          items: [String(error), String(Reflect.get(Object(error), 'cause'))],
        }))
        if (JSON.stringify(answer.items) !== JSON.stringify(expected)) {
          wrong.push(`${name} ${search}: ${JSON.stringify(answer.items)} instead of ${JSON.stringify(expected)}`)
        }
      }
    }
    assert.deepEqual(wrong, [])
  })

  it('refuse a sum that JSON cannot hold, instead of rounding it', async () => {
    for (const house of houses.values()) {
      await assert.rejects(compute(house, 'select=big:sum&shop=b'), { code: 'SUM_INEXACT' })
      await assert.rejects(compute(house, 'select=real:sum'), { code: 'SUM_INEXACT' })
      assert.equal((await compute(house, 'group=shop&limit=2')).isMore, true)
      assert.equal((await compute(house, 'group=shop&limit=4')).isMore, false)
    }
  })

  it('refuse more rows than may be read, and count what an index leaves', async () => {
    const house = houses.get('sqlite')
    assert.ok(house !== undefined)
    const { statements } = await house.store()
    await statements.write(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 100001)
       insert into sales (id, shop, "createdAt", "updatedAt", version) select printf('%08x-0000-4000-8000-000000000000', i), 'many', 0, 0, 1 from n`,
      [],
    )
    await assert.rejects(compute(house, ''), { code: 'AGGREGATE_TOO_LARGE' })
    await assert.rejects(compute(house, 'shop=a'), { code: 'AGGREGATE_TOO_LARGE' })
    assert.deepEqual(
      (await compute(house, 'id:gt=10000000-0000-4000-8000-000000000000&id:lt=00000003-0000-4000-8000-000000000000'))
        .items,
      [{ count: 0 }],
    )
    assert.deepEqual((await compute(house, 'id:lt=00000003-0000-4000-8000-000000000000')).items, [{ count: 2 }])
  })
})
