import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDeleteAddress, parseKeyAddress } from '../../../src/collection/query/write-request.ts'
import { askedOrders, refuses } from './support.ts'

describe('the query string of a delete', () => {
  const read = (search: string) => parseDeleteAddress(askedOrders, search)

  it('has conditions, and the most rows that may match', () => {
    const { filter, max } = read('?status=closed&max=100')
    assert.equal(max, 100)
    assert.ok(filter.is === 'condition' && filter.path.name === 'status')
  })

  it('is refused without a condition', () => {
    for (const search of ['', '?max=10', '?max=10&where={}', '?max=10&where={"AND":[]}']) {
      refuses(() => read(search), 'QUERY_INVALID', /at least one condition/)
    }
  })

  it('is refused without a limit, or with one that is too large', () => {
    refuses(() => read('?status=closed'), 'QUERY_INVALID', /"max"/)
    refuses(() => read('?status=closed&max=1001'), 'QUERY_INVALID', /1000/)
    refuses(() => read('?status=closed&max=0'), 'QUERY_INVALID', /from 1/)
    refuses(() => read('?status=closed&max=1&limit=5&sort=id'), 'QUERY_INVALID', /Unknown field or parameter "sort"/)
  })
})

describe('the query string of a PUT', () => {
  const read = (search: string) => parseKeyAddress(askedOrders, search)

  it('has the values of one unique key', () => {
    assert.deepEqual([...read('?number=A-1')], [['number', 'A-1']])
    assert.deepEqual([...read('?at=2026-01-31&status=x')], [
      ['at', new Date('2026-01-31')],
      ['status', 'x'],
    ]) // biome-ignore format: one line says it
  })

  for (const search of ['', '?status=x', '?rating=1', '?number=A&status=x', '?number:in=A', '?number:ne=A', '?id=01932c1f-7b5a-7c3e-8a51-0123456789ab']) {
    it(`is refused when it is not one: ${search}`, () => {
      refuses(() => read(search), 'QUERY_INVALID', /\?status=\.\.\.&at=\.\.\., \?number=\.\.\./)
    })
  } // biome-ignore format: one line says it
})
