import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAggregateAddress } from '../../../src/collection/query/aggregate-request.ts'
import { askedOrders, refuses } from './support.ts'

const read = (search: string) => parseAggregateAddress(askedOrders, search)

describe('the query string of an aggregate', () => {
  it('counts all rows without one', () => {
    assert.deepEqual(read(''), {
      filter: null,
      groups: [],
      measures: [{ name: 'count', field: null, computes: 'count' }],
      sort: [],
      limit: 100,
    })
  })

  it('has groups, measures, an order of both and conditions', () => {
    const query = read('?group=status,createdAt:month&select=count,total:sum,rating:avg&sort=-count,status&rating:gte=2&limit=7') // biome-ignore format: one line says it
    assert.deepEqual(query.groups, [
      { name: 'status', field: 'status', period: null },
      { name: 'createdAt:month', field: 'createdAt', period: 'month' },
    ])
    assert.deepEqual(query.measures[1], { name: 'total:sum', field: 'total', computes: 'sum' })
    assert.deepEqual(query.sort, [
      { name: 'count', isDescending: true },
      { name: 'status', isDescending: false },
    ])
    assert.equal(query.limit, 7)
    assert.ok(query.filter?.is === 'condition')
  })

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['group=secret', /unknown field "secret"\. Known/],
    ['group=meta', /is an object/],
    ['group=meta.lang', /unknown field/],
    ['group=status:month', /date and a time/],
    ['group=at:week', /:hour, :day, :month, :year/],
    ['group=status,status', /twice/],
    ['group=', /empty/],
    ['select=rating', /rating:avg/],
    ['select=secret:sum', /unknown field/],
    ['select=status:sum', /status:min/],
    ['select=customer:max', /customer:distinct/],
    ['select=rating:median', /rating:max/],
    ['sort=rating', /neither/],
    ['limit=1001', /from 1 to 1000/],
    ['cursor=x', /Unknown field or parameter/],
    ['page=1', /Unknown field or parameter/],
  ]
  for (const [search, message] of wrong) {
    it(`is refused: ${search}`, () => refuses(() => read(`?${search}`), 'QUERY_INVALID', message))
  }

  it('has limits, each with its number', () => {
    refuses(() => read('?group=status,rating,paid,at'), 'QUERY_TOO_COMPLEX', /3 fields/)
    const measures = ['count', 'distinct', 'sum', 'avg', 'min', 'max']
    const many = ['rating', 'total', 'limit', 'version'].flatMap((field) => measures.map((one) => `${field}:${one}`))
    refuses(() => read(`?select=${many.join()}`), 'QUERY_TOO_COMPLEX', /20 measures/)
  })
})
