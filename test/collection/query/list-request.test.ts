import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isPlain } from '../../../src/collection/query/list-query.ts'
import { type ListFormat, parseListAddress, parseListBody } from '../../../src/collection/query/list-request.ts'
import { askedOrders, others, refuses } from './support.ts'

function address(search: string, accepted: ListFormat = 'json') {
  return parseListAddress(askedOrders, search, { accepted, others })
}

function body(value: unknown) {
  return parseListBody(askedOrders, value, { accepted: 'json', others })
}

describe('the query string of a list', () => {
  it('asks for the newest rows without one', () => {
    const { query, format } = address('')
    assert.equal(format, 'json')
    assert.deepEqual(query, address('?limit=20').query)
    assert.ok(isPlain(query) && query.limit === 20 && query.place === null)
    assert.ok(!isPlain(address('?rating=1').query))
  })

  it('joins all conditions by AND, those of "where" among them', () => {
    const { filter } = address('?rating:gte=4&rating:lt=6&where={"OR":[{"status":"x"}]}').query
    assert.ok(filter?.is === 'and')
    assert.deepEqual(
      filter.filters.map((one) => one.is === 'condition' && [one.path.name, one.operator, ...one.operands]),
      [['rating', 'gte', 4], ['rating', 'lt', 6], ['status', 'eq', 'x']],
    ) // biome-ignore format: one line says it
  })

  it('decodes a value once, and takes all that follows one "=" as it is', () => {
    const { filter } = address('?status=a=b%26c+d%2525').query
    assert.deepEqual(filter?.is === 'condition' && filter.operands, ['a=b&c d%25'])
  })

  it('has a field named like a parameter where it has an operator', () => {
    const { query } = address('?limit=3&limit:eq=5')
    assert.equal(query.limit, 3)
    assert.deepEqual(query.filter?.is === 'condition' && query.filter.operands, [5])
  })

  it('sorts with the id at the end, in the direction of the key before it', () => {
    assert.deepEqual(address('?sort=status,-rating').query.sort, [
      { field: 'status', isDescending: false },
      { field: 'rating', isDescending: true },
      { field: 'id', isDescending: true },
    ])
    assert.deepEqual(address('?sort=id,rating').query.sort, [{ field: 'id', isDescending: false }])
  })

  it('skips what is before a page', () => {
    const { query } = address('?page=3&limit=50')
    assert.deepEqual([query.limit, query.skipped], [50, 100])
    assert.equal(address('?page=10&limit=1000').query.skipped, 9_000)
  })

  it('gives the fields in the order of their names', () => {
    assert.deepEqual(address('?fields=rating,id').query.fields, ['rating', 'id'])
  })

  it('follows references, those of the other collection too', () => {
    assert.deepEqual(address('?expand=customer.team').query.expand, [
      { field: 'customer', inner: [{ field: 'team', inner: [] }] },
    ])
    assert.deepEqual(address('?expand=customer,customer.team').query.expand, address('?expand=customer.team').query.expand) // biome-ignore format: one line says it
  })

  it('streams all rows where no limit is given, in the format that is named or accepted', () => {
    assert.equal(address('', 'ndjson').query.limit, null)
    assert.equal(address('?format=csv&limit=5').query.limit, 5)
    assert.deepEqual(address('?format=json', 'csv'), address(''))
    assert.equal(address('?format=ndjson&page=2').query.skipped, 20)
  })

  it('counts where it is asked to', () => {
    assert.deepEqual(
      ['false', 'true', 'exact'].map((word) => address(`?count=${word}`).query.count),
      ['none', 'bounded', 'exact'],
    )
  })

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['limit=0', /from 1 to 1000/],
    ['limit=1001', /from 1 to 1000/],
    ['limit=1e2', /from 1 to 1000/],
    ['limit=', /from 1 to 1000/],
    ['limit=1&limit=2', /"limit" appears twice/],
    ['rating=1&rating=2', /"rating" appears twice/],
    ['rating=1&rating:eq=2', /"rating" appears twice/],
    ['ratng=1', /Did you mean "rating"/],
    ['srt=rating', /Did you mean "sort"/],
    ['filter[rating]=1', /Unknown field or parameter/],
    ['secret=x', /Unknown field or parameter "secret"\. Known/],
    ['sort=secret', /unknown field "secret"\. Known/],
    ['sort=', /one of them is empty/],
    ['sort=rating,', /one of them is empty/],
    ['sort=rating,-rating', /"rating" twice/],
    ['sort=meta', /has no order/],
    ['sort=meta.lang', /unknown field/],
    ['sort=--rating', /unknown field/],
    ['fields=secret', /unknown field "secret"/],
    ['fields=id,id', /"id" twice/],
    ['expand=status', /refer to another collection/],
    ['expand=secret', /Did you|Known|refer to another/],
    ['expand=customer.boss', /"boss" does not/],
    ['expand=customer.', /does not/],
    ['count=yes', /true, false or exact/],
    ['format=xml', /json, ndjson, csv/],
    ['page=0', /from 1/],
    ['page=501', /Use "cursor"/],
    ['page=11&limit=1000', /Use "cursor"/],
    ['page=2&cursor=x', /"page" and "cursor"|cursor/],
    ['where={"rating":', /not valid JSON at line 1/],
    ['where=[]', /A filter is a JSON object/],
  ]
  for (const [search, message] of wrong) {
    it(`is refused: ${search}`, () => {
      if (search.includes('cursor=x')) return refuses(() => address(`?${search}`), 'CURSOR_INVALID')
      refuses(() => address(`?${search}`), 'QUERY_INVALID', message)
    })
  }

  it('never suggests a private field', () => {
    for (const search of ['secre=x', 'sort=secre', 'fields=secre', 'expand=secre', 'where={"secre":1}']) {
      assert.throws(
        () => address(`?${search}`),
        (error: Error) => !/secret/.test(error.message),
      )
    }
  })

  it('has limits, each with its number', () => {
    const conditions = Array.from({ length: 33 }, (_, at) => `meta.m${at}=1`).join('&')
    refuses(() => address(`?${conditions}`), 'QUERY_TOO_COMPLEX', /32 conditions/)
    refuses(() => address('?sort=rating,status,total,paid,at'), 'QUERY_TOO_COMPLEX', /4 fields/)
    refuses(() => address('?expand=a,b,c,d,e,f'), 'QUERY_TOO_COMPLEX', /5 entries/)
    refuses(() => address('?expand=customer.team.boss'), 'QUERY_TOO_COMPLEX', /2 references/)
    refuses(() => address(`?where={"status":"${'x'.repeat(4_100)}"}`), 'QUERY_TOO_COMPLEX', /4096 bytes/)
  })

  it('has the conditions of "where" and of the address within one limit', () => {
    const inJson = encodeURIComponent(JSON.stringify({ OR: Array(31).fill({ rating: 1 }) }))
    assert.ok(address(`?rating=1&where=${inJson}`))
    refuses(() => address(`?rating=1&status=x&where=${inJson}`), 'QUERY_TOO_COMPLEX', /32 conditions/)
  })
})

describe('the body of a query', () => {
  it('has the parameters as members', () => {
    const query = { where: { rating: { gte: 4 } }, sort: '-rating', limit: 50, fields: 'id,rating', count: true }
    assert.deepEqual(body(query), address('?rating:gte=4&sort=-rating&limit=50&fields=id,rating&count=true'))
    assert.deepEqual(body({}), address(''))
    assert.deepEqual(body({ page: 2, format: 'csv' }), address('?page=2&format=csv'))
  })

  it('is refused where a member is wrong, with its place', () => {
    refuses(() => body([]), 'QUERY_INVALID', /JSON object/, '')
    refuses(() => body({ srt: 'rating' }), 'QUERY_INVALID', /Did you mean "sort"/, '/srt')
    refuses(() => body(JSON.parse('{"__proto__": {}}')), 'QUERY_INVALID', /Unknown member/, '/__proto__')
    refuses(() => body({ where: { AND: 1 } }), 'QUERY_INVALID', /array/, '/where/AND')
    refuses(() => body({ where: null }), 'QUERY_INVALID', /JSON object/, '/where')
    refuses(() => body({ limit: '1.5' }), 'QUERY_INVALID', /"limit"/)
    refuses(() => body({ limit: 1.5 }), 'QUERY_INVALID', /"limit"/)
    refuses(() => body({ sort: ['rating'] }), 'QUERY_INVALID', /"sort" takes text/)
    refuses(() => body({ cursor: 5 }), 'QUERY_INVALID', /"cursor"/)
  })
})
