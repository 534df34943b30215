import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Filter } from '../../../src/collection/filter/filter.ts'
import { FilterReader } from '../../../src/collection/filter/filter-reader.ts'
import { planList, planScan, type ReadPlan } from '../../../src/collection/query/read-plan.ts'
import { readSort } from '../../../src/collection/query/sort.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { askedOrders, orders } from './support.ts'

const id = '01932c1f-7b5a-7c3e-8a51-0123456789ab'

function filterOf(where: unknown): Filter {
  return new FilterReader(askedOrders).ofJson(where)
}

function list(where: unknown, sort = '-id', collection = orders): ReadPlan {
  return planList(collection, readSort(askedOrders, sort), filterOf(where))
}

/** The names of what an index serves, and of what is looked for in the rows. */
function namesOf({ served, examined }: ReadPlan): readonly string[] {
  const name = (filter: Filter) => (filter.is === 'condition' ? filter.path.name : filter.is)
  return [served.map(name).join(), examined.map(name).join()]
}

describe('the plan of a list', () => {
  const plans: readonly (readonly [unknown, string, string, string])[] = [
    // Without an order of its own: the order of ids.
    [{}, '-id', '', ''],
    [{ paid: true }, '-id', 'paid', ''],
    [{ paid: null, rating: 3 }, 'id', 'paid', 'rating'],
    [{ paid: { ne: true } }, '-id', '', 'paid'],
    [{ rating: { gte: 3 } }, '-id', '', 'rating'],
    [{ status: 'x' }, '-id', '', 'status'],
    [{ status: 'x', total: '1' }, '-id', 'status,total', ''],
    [{ OR: [{ paid: true }] }, '-id', 'paid', ''],
    [{ OR: [{ paid: true }, { rating: 1 }] }, '-id', '', 'or'],
    [{ NOT: { paid: true } }, '-id', '', 'not'],
    [{ customer: id }, '-id', 'customer', ''],
    [{ 'meta.paid': 'true' }, '-id', '', 'meta.paid'],
    // A range of the field that sorts.
    [{ rating: { gte: 3, lt: 5 }, paid: true }, '-rating', 'rating,rating', 'paid'],
    [{ rating: { null: false } }, 'rating', 'rating', ''],
    [{ rating: { in: [1, 2] } }, 'rating', '', 'rating'],
    [{ status: 'x', total: { gt: '1' } }, 'total', 'status,total', ''],
    [{ status: 'x', rating: 5 }, 'rating,-at', 'status', 'rating'],
    [{ status: { in: ['x'] } }, 'status,total', '', 'status'],
    [{ id: { gt: id } }, 'id', 'id', ''],
    // A key: few rows, in any order.
    [{ number: 'A', paid: { ne: true } }, 'total', 'number,paid', ''],
    [{ number: { in: ['A', 'B'] } }, 'paid,-status', 'number', ''],
    [{ id: { in: [id] }, paid: true }, 'limit', 'id,paid', ''],
    [{ status: 'x', at: '2026-01-01' }, 'limit', 'status,at', ''],
  ]
  for (const [where, sort, served, examined] of plans) {
    it(`has of ${JSON.stringify(where)} by ${sort} "${served}" from an index`, () => {
      assert.deepEqual(namesOf(list(where, sort)), [served, examined])
    })
  }

  const unserved: readonly (readonly [unknown, string, RegExp])[] = [
    [{}, 'total', /\{"fields":\["total"\]\}/],
    [{}, 'total,status', /\{"fields":\["total","status"\]\}/],
    [{ paid: true }, '-total', /\{"fields":\["paid","total"\]\}/],
    [{ status: { ne: 'x' } }, 'total', /\{"fields":\["total"\]\}/],
    [{}, 'status', /\{"fields":\["status"\]\}/],
    [{}, 'limit,total,number,at', /\{"fields":\["limit","total","number","at"\]\}/],
    [{ paid: true }, 'limit,total,number,at', /\{"fields":\["limit","total","number","at"\]\}/],
    [{}, '-createdAt', /\{"fields":\["createdAt"\]\}/],
    [{}, 'note', /its text may be too long/],
    [{}, 'status,-total', /in one direction/],
    [{}, '-rating,id', /in one direction/],
  ]
  for (const [where, sort, line] of unserved) {
    it(`refuses to sort ${JSON.stringify(where)} by ${sort}, and says what would serve it`, () => {
      assert.throws(
        () => list(where, sort),
        (error) => error instanceof HoldfastError && error.code === 'QUERY_UNINDEXED' && line.test(error.detail ?? ''),
      )
    })
  }

  it('sorts a small collection without an index', () => {
    const small = { ...orders, maxRows: 10_000 }
    assert.deepEqual(namesOf(list({ paid: { ne: true } }, 'limit,-total', small)), ['paid', ''])
    assert.throws(() => list({}, 'limit', { ...orders, maxRows: 10_001 }))
  })

  it('has the rule in it, and says nothing of it', () => {
    const rule = filterOf({ customer: id })
    const sort = readSort(askedOrders, 'total')
    const withRule = { ...orders, indexes: [{ fields: ['customer', 'total'] }] }
    assert.deepEqual(namesOf(planList(withRule, sort, filterOf({ paid: true }), rule)), ['customer', 'paid'])
    assert.throws(
      () => planList(orders, sort, null, rule),
      (error: Error) => !/customer/.test(error.message),
    )
  })
})

describe('the plan of a scan', () => {
  const plans: readonly (readonly [unknown, string, string])[] = [
    [{}, '', ''],
    [{ status: 'x', paid: { ne: true } }, 'status', 'paid'],
    [{ status: 'x', total: { gt: '1', lt: '5' } }, 'status,total,total', ''],
    [{ rating: { in: [1, 2] }, status: { contains: 'x' } }, 'rating', 'status'],
    [{ total: '1' }, '', 'total'],
    [{ number: 'A', paid: { ne: true } }, 'number,paid', ''],
  ]
  for (const [where, served, examined] of plans) {
    it(`has of ${JSON.stringify(where)} "${served}" from an index`, () => {
      assert.deepEqual(namesOf(planScan(orders, filterOf(where))), [served, examined])
    })
  }
})
