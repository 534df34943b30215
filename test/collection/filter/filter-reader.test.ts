import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import type { Filter } from '../../../src/collection/filter/filter.ts'
import { parseFilterJson } from '../../../src/collection/filter/filter-json.ts'
import { FilterReader } from '../../../src/collection/filter/filter-reader.ts'
import type { AskedCollection } from '../../../src/collection/filter/paths.ts'
import { type ErrorCode, HoldfastError } from '../../../src/errors.ts'

const collection: Collection = {
  name: 'things',
  fields: {
    rating: { type: 'integer' },
    real: { type: 'number' },
    model: { type: 'string' },
    limit: { type: 'integer' },
    done: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    ref: { type: 'string', format: 'uuid' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    big: { type: 'string', format: 'int64' },
    tags: { type: 'array', items: { type: 'string' } },
    list: { type: 'array' },
    meta: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        deep: { type: 'object', properties: { cost: { type: 'string', format: 'decimal', scale: 1 } } },
      },
    },
    secret: { type: 'string', private: true },
  },
}

const asked = new Set(['id', ...Object.keys(collection.fields), 'createdAt', 'updatedAt', 'version'])
asked.delete('secret')
const things: AskedCollection = { collection, asked }

function ofAddress(name: string, ...values: readonly string[]): Filter {
  return new FilterReader(things).ofAddress(name, values, ['limit', 'cursor'])
}

function ofJson(value: unknown): Filter {
  return new FilterReader(things).ofJson(value)
}

/** What a filter is refused with: its code, and where in the JSON. */
function refused(read: () => unknown, code: ErrorCode, message: RegExp, pointer?: string): void {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof HoldfastError, String(error))
    assert.equal(error.code, code)
    assert.match(error.detail ?? '', message)
    assert.equal(error.errors?.[0]?.pointer, pointer)
    assert.doesNotMatch(`${error.detail} ${JSON.stringify(error.errors)}`, /secret/)
    return
  }
  assert.fail('it was accepted')
}

function operandsOf(filter: Filter): readonly unknown[] {
  assert.ok(filter.is === 'condition')
  return filter.operands
}

describe('a condition of an address', () => {
  const read: readonly (readonly [string, string, unknown])[] = [
    ['rating', '4', 4],
    ['rating:gte', '-0', 0],
    ['rating', '9007199254740991', 9007199254740991],
    ['real:lt', '-1.5e3', -1500],
    ['model', '', ''],
    ['model', 'null', 'null'],
    ['model:contains', 'a=b&c', 'a=b&c'],
    ['limit:eq', '5', 5],
    ['done', 'true', true],
    ['at', '2026-01-31T12:00:00 02:00', new Date('2026-01-31T10:00:00Z')],
    ['at:gt', '2026-01-31', new Date('2026-01-31T00:00:00Z')],
    ['createdAt:lte', '2026-01-31T12:00:00.1239Z', new Date('2026-01-31T12:00:00.123Z')],
    ['day', '2024-02-29', '2024-02-29'],
    ['ref', 'AAAAAAAA-0000-4000-8000-00000000000F', 'aaaaaaaa-0000-4000-8000-00000000000f'],
    ['id:gt', 'aaaaaaaa-0000-4000-8000-00000000000f', 'aaaaaaaa-0000-4000-8000-00000000000f'],
    ['price', '12.5', '12.50'],
    ['price', '-0', '0.00'],
    ['price', '9999999999999999.99', '9999999999999999.99'],
    ['big', '-9223372036854775808', '-9223372036854775808'],
    ['big', '-0', '0'],
    ['tags:has', 'x', 'x'],
    ['meta.size:gte', '3', 3],
    ['meta.deep.cost', '1', '1.0'],
    ['meta.other', '1', '1'],
    ['meta.deep.other:contains', 'x', 'x'],
    ['meta.constructor', 'x', 'x'],
    ['meta:null', 'true', true],
    ['version', '1', 1],
  ]
  for (const [name, text, operand] of read) {
    it(`is read: ${name}=${text}`, () => assert.deepEqual(operandsOf(ofAddress(name, text)), [operand]))
  }

  it('has all values of a list, which commas do not split', () => {
    assert.deepEqual(operandsOf(ofAddress('model:in', 'a', 'm,2')), ['a', 'm,2'])
  })

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['ratng', '4', /Unknown field or parameter "ratng"\. Did you mean "rating"\?/],
    ['limt', '4', /Did you mean "limit"\?/],
    ['', 'x', /Unknown field or parameter ""/],
    ['__proto__', 'x', /Unknown field/],
    ['constructor', 'x', /Unknown field/],
    ['meta.__proto__', 'x', /not a valid member/],
    ['meta.', 'x', /not a valid member/],
    ['meta.a b', 'x', /not a valid member/],
    ['model.lang', 'x', /"model" is not an object/],
    ['meta.size.x', '1', /"meta\.size" is not an object/],
    ['rating:contains', '4', /not an operator for "rating" \(an integer\)/],
    ['rating:gtee', '4', /Did you mean "gte"\?/],
    ['rating:', '4', /not an operator/],
    ['rating:gte:x', '4', /not an operator/],
    ['done:gt', 'true', /not an operator/],
    ['ref:gt', 'aaaaaaaa-0000-4000-8000-00000000000f', /not an operator/],
    ['list:has', 'x', /not an operator/],
    ['meta:eq', 'x', /not an operator/],
    ['meta.other:gt', '1', /Declare it in "properties" of "meta"/],
    ['rating:gte', 'high', /"rating:gte" accepts a whole number/],
    ['rating:gte', '9007199254740993', /accepts a whole number/],
    ['rating', '1.0', /accepts a whole number/],
    ['real', '1e999', /accepts a number/],
    ['real', 'NaN', /accepts a number/],
    ['price', '1.005', /at most 2 of them behind the point, such as 12\.50/],
    ['price', '99999999999999999', /at most 18 digits/],
    ['big', '9223372036854775808', /64 bits/],
    ['day', '2026-02', /accepts a date/],
    ['day', '2026-02-30', /accepts a date/],
    ['at', '2026-02', /RFC 3339/],
    ['done', '1', /true or false/],
    ['model', 'a\0', /U\+0000/],
    ['model:null', 'yes', /true or false/],
  ]
  for (const [name, text, message] of wrong) {
    it(`is refused: ${name}=${text}`, () => refused(() => ofAddress(name, text), 'QUERY_INVALID', message))
  }

  it('may appear once, unless it takes a list', () => {
    refused(() => ofAddress('rating', '1', '2'), 'QUERY_INVALID', /appears twice/)
  })

  it('has limits, each with its number', () => {
    refused(() => ofAddress(`meta${'.a'.repeat(9)}`, 'x'), 'QUERY_TOO_COMPLEX', /at most 8 members/)
    refused(() => ofAddress('model:contains', 'x'.repeat(201)), 'QUERY_TOO_COMPLEX', /at most 200 characters/)
    refused(() => ofAddress('model:in', ...Array<string>(201).fill('x')), 'QUERY_TOO_COMPLEX', /200 values/)
    assert.equal(operandsOf(ofAddress('model:icontains', '\u{1F600}'.repeat(200))).length, 1)
    const reader = new FilterReader(things)
    for (let at = 0; at < 32; at++) reader.ofAddress('rating', ['1'], [])
    refused(() => reader.ofAddress('rating', ['1'], []), 'QUERY_TOO_COMPLEX', /32 conditions/)
  })
})

describe('a filter in JSON', () => {
  it('is read: its members must all hold', () => {
    const filter = ofJson({ rating: { gte: 4, lt: 5 }, OR: [{ model: 'x' }, { NOT: { model: null } }] })
    assert.ok(filter.is === 'and')
    const [from, to, or] = filter.filters
    assert.deepEqual([from, to].map((one) => one?.is === 'condition' && [one.operator, one.operands]), [
      ['gte', [4]],
      ['lt', [5]],
    ]) // biome-ignore format: one line says it
    assert.ok(or?.is === 'or')
    const [model, not] = or.filters
    assert.ok(model?.is === 'condition' && model.operator === 'eq')
    assert.ok(not?.is === 'not' && not.filter.is === 'condition' && not.filter.operator === 'null')
  })

  it('may be empty, and so may its lists: no condition is true, none of no values is', () => {
    assert.deepEqual(ofJson({}), { is: 'and', filters: [] })
    assert.deepEqual(ofJson({ OR: [] }), { is: 'or', filters: [] })
    assert.deepEqual(ofJson({ model: { in: [] } }), { is: 'or', filters: [] })
    assert.deepEqual(ofJson({ model: { nin: [] } }), { is: 'and', filters: [] })
  })

  it('has values of the JSON type of the path', () => {
    assert.deepEqual(operandsOf(ofJson({ 'meta.other': 1 })), ['1'])
    assert.deepEqual(operandsOf(ofJson({ 'meta.other': true })), ['true'])
    assert.deepEqual(operandsOf(ofJson({ price: '1' })), ['1.00'])
    assert.deepEqual(operandsOf(ofJson({ tags: { has: ['a', 'b'] } })), ['a', 'b'])
    assert.deepEqual(operandsOf(ofJson({ tags: { has: 'a' } })), ['a'])
    assert.deepEqual(operandsOf(ofJson({ model: '$user.sub' })), ['$user.sub'])
  })

  const wrong: readonly (readonly [string, unknown, string, RegExp])[] = [
    ['no object', 5, '', /A filter is a JSON object/],
    ['an array', [], '', /A filter is a JSON object/],
    ['a scalar for AND', { AND: 5 }, '/AND', /array of filters/],
    ['a scalar in OR', { OR: [{}, 5] }, '/OR/1', /A filter is a JSON object/],
    ['an unknown field', { AND: [{ ratng: 1 }] }, '/AND/0/ratng', /Did you mean "rating"/],
    ['logic in lower case', { and: [] }, '/and', /Did you mean "AND"/],
    ['text for a number', { rating: { gte: '4' } }, '/rating/gte', /a whole number/],
    ['a number for text', { model: 4 }, '/model', /accepts text/],
    ['a number for a decimal', { price: 1.5 }, '/price', /digits/],
    ['null as an operand', { rating: { gte: null } }, '/rating/gte', /"null": true/],
    ['a rounded number', { rating: 2 ** 53 }, '/rating', /a whole number/],
    ['an unknown operator', { rating: { gtt: 1 } }, '/rating/gtt', /Did you mean "gt"/],
    ['an operator of the prototype', { rating: { toString: 1 } }, '/rating/toString', /Unknown operator/],
    ['no operator', { rating: {} }, '/rating', /operator is missing/],
    ['__proto__', JSON.parse('{"\\u005f_proto__": 1}'), '/__proto__', /Unknown field/],
    ['__proto__ for an operator', JSON.parse('{"rating": {"__proto__": 1}}'), '/rating/__proto__', /Unknown operator/],
    ['an address', { 'rating:gte': 4 }, '/rating:gte', /the operator is a member/],
    ['a scalar for a list', { rating: { in: 4 } }, '/rating/in', /takes an array/],
    ['one wrong value of a list', { rating: { in: [4, 'x'] } }, '/rating/in/1', /a whole number/],
    ['no items', { tags: { has: [] } }, '/tags/has', /at least one item/],
    ['a name with a slash', { 'a/b~': 1 }, '/a~1b~0', /Unknown field/],
  ]
  for (const [what, value, pointer, message] of wrong) {
    it(`is refused with ${what}, and told where`, () => {
      refused(() => ofJson(value), 'QUERY_INVALID', message, pointer)
    })
  }

  it('says of a private field what it says of one that is not there', () => {
    const detailOf = (name: string) => {
      try {
        ofJson({ [name]: 'x' })
      } catch (error) {
        return (error as HoldfastError).detail?.replaceAll(name, 'NAME')
      }
      return assert.fail('it was accepted')
    }
    assert.equal(detailOf('secret'), detailOf('zzzzzz'))
  })

  it('has limits, each with its number', () => {
    const nested = (levels: number): unknown => (levels === 1 ? { rating: 1 } : { NOT: nested(levels - 1) })
    assert.equal(ofJson(nested(5)).is, 'not')
    refused(() => ofJson(nested(6)), 'QUERY_TOO_COMPLEX', /5 levels/, '/NOT/NOT/NOT/NOT/NOT')
    for (const [empty, pointer] of [
      [{}, '/OR/32'],
      [{ AND: [] }, '/OR/32/AND'],
      [{ NOT: { OR: [] } }, '/OR/32/NOT/OR'],
    ])
      refused(() => ofJson({ OR: Array(33).fill(empty) }), 'QUERY_TOO_COMPLEX', /32 conditions/, String(pointer))
    refused(() => ofJson({ OR: Array(33).fill({ rating: 1 }) }), 'QUERY_TOO_COMPLEX', /32 conditions/, '/OR/32/rating')
    const half = { rating: { in: Array(101).fill(1) } }
    refused(() => ofJson({ OR: [half, half] }), 'QUERY_TOO_COMPLEX', /200 values/, '/OR/1/rating/in')
    refused(() => ofJson({ model: { contains: 'x'.repeat(201) } }), 'QUERY_TOO_COMPLEX', /200/, '/model/contains')
  })
})

describe('JSON text', () => {
  it('is parsed', () => assert.deepEqual(parseFilterJson('{"a":[1,{"b":"\\"{,"}],"b":{"a":1}}'), JSON.parse('{"a":[1,{"b":"\\"{,"}],"b":{"a":1}}'))) // biome-ignore format: one line says it

  it('is refused when it is none, and its words are not repeated', () => {
    refused(() => parseFilterJson('{"rating":'), 'QUERY_INVALID', /valid JSON/, '')
    refused(() => parseFilterJson('hunter2'), 'QUERY_INVALID', /^((?!hunter2).)*$/, '')
  })

  it('is refused with a name twice, however it is written, and told where', () => {
    const twice = '{"OR":[{"x":1},{"b":[],"a":1,"c":{"a":2},"\\u0061":3}]}'
    refused(() => parseFilterJson(twice), 'QUERY_INVALID', /twice/, '/OR/1/a')
  })

  it('has limits', () => {
    refused(() => parseFilterJson('[1]', 2), 'QUERY_TOO_COMPLEX', /2 bytes/)
    refused(() => parseFilterJson('['.repeat(30_000) + ']'.repeat(30_000)), 'QUERY_INVALID', /valid JSON/, '')
  })
})
