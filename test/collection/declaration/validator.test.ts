import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatInstant, parseInstant, reformatInstant } from '../../../src/collection/declaration/instant.ts'
import { Validator } from '../../../src/collection/declaration/validator.ts'
import { HoldfastError } from '../../../src/errors.ts'
import fc from '../../support/property.ts'
import { everything, feedback } from '../support.ts'

const validator = new Validator(feedback)

/** The pointers that a body is refused with. */
function refusedAt(body: unknown, act: 'create' | 'change' = 'create'): readonly string[] {
  try {
    validator[act](body)
  } catch (error) {
    assert.ok(error instanceof HoldfastError)
    assert.equal(error.code, 'ROW_INVALID')
    return (error.errors ?? []).map(({ pointer }) => pointer)
  }
  return assert.fail(`${JSON.stringify(body)?.slice(0, 200)} was taken`)
}

describe('a body that creates', () => {
  it('gives a value to every field in the declaration’s order, null to those it does not name', () => {
    assert.deepEqual(validator.create({ comment: 'x', rating: 5 }), [5, 'x', null])
    assert.deepEqual(validator.create({ rating: 5, comment: null }), [5, null, null])
  })

  it('takes defaults for what is absent, and not for what is null', () => {
    const one = new Validator({ name: 'x', fields: { a: { type: 'string', default: 'd' } } })
    assert.deepEqual(one.create({}), ['d'])
    assert.deepEqual(one.create({ a: null }), [null])
  })

  it('may leave out a required field that has a default', () => {
    const one = new Validator({ name: 'x', fields: { a: { type: 'integer', default: 3 } }, required: ['a'] })
    assert.deepEqual(one.create({}), [3])
  })

  it('stores 0 for -0, which JSON cannot tell apart on the way back', () => {
    const one = new Validator({ name: 'x', fields: { a: { type: 'number' } } })
    assert.ok(Object.is(one.create({ a: -0 })[0], 0))
  })

  it('turns an instant into a date, whatever its offset', () => {
    const values = new Validator(everything).create({ at: '2026-01-31T12:00:00+02:00' })
    assert.deepEqual(values[6], new Date('2026-01-31T10:00:00Z'))
  })

  const wrong: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['no object', [], ['']],
    ['null', null, ['']],
    ['text', 'x', ['']],
    ['nothing', {}, ['/rating']],
    ['an unknown field', { rating: 5, stars: 1 }, ['/stars']],
    ['a field of ours', { rating: 5, id: 'x', version: 2 }, ['/id', '/version']],
    ['a name with a slash', { rating: 5, 'a/b~c': 1 }, ['/a~1b~0c']],
    ['a wrong type', { rating: '5' }, ['/rating']],
    ['a fraction', { rating: 2.5 }, ['/rating']],
    ['a value out of range', { rating: 6 }, ['/rating']],
    ['null for what is required', { rating: null }, ['/rating']],
    ['text that is too long', { rating: 5, comment: 'x'.repeat(2_001) }, ['/comment']],
    ['several mistakes at once', { rating: 0, comment: 1, more: 1 }, ['/rating', '/comment', '/more']],
    ['an array for an object', { rating: 5, meta: [] }, ['/meta']],
    ['an object that is too large', { rating: 5, meta: { a: 'x'.repeat(20_000) } }, ['/meta']],
    ['__proto__', JSON.parse('{"__proto__": {"rating": 5}}'), ['/__proto__']],
    ['__proto__ far inside', JSON.parse('{"rating": 5, "meta": {"a": [{"__proto__": 1}]}}'), ['/meta/a/0/__proto__']],
    ['an infinite number', JSON.parse('{"rating": 1e999}'), ['/rating']],
    ['a number that was rounded', JSON.parse('{"rating": 5, "meta": {"id": 12345678901234567890}}'), ['/meta/id']],
    ['U+0000', { rating: 5, comment: 'a\0b' }, ['/comment']],
    ['U+0000 in a name', { rating: 5, meta: { 'a\0': 1 } }, ['/meta/a\0']],
    ['half a surrogate pair', JSON.parse('{"rating": 5, "comment": "\\ud800"}'), ['/comment']],
  ]
  for (const [what, body, pointers] of wrong) {
    it(`is refused with ${what}, and told where`, () => assert.deepEqual(refusedAt(body), pointers))
  }

  it('is refused without a walk when it has a hundred thousand members', () => {
    const body = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`f${n}`, n]))
    assert.deepEqual(refusedAt(body), [''])
  })

  it('is refused when it is nested a hundred thousand levels deep', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level++) deep = [deep]
    assert.equal(refusedAt({ rating: 5, meta: { deep } }).length, 1)
  })

  it('counts characters as people do: an emoji is one', () => {
    const one = new Validator({ name: 'x', fields: { a: { type: 'string', maxLength: 2 } } })
    assert.deepEqual(one.create({ a: '🙂🙂' }), ['🙂🙂'])
    assert.throws(() => one.create({ a: '🙂🙂🙂' }))
  })

  it('is taken or refused, and never anything else, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        try {
          validator.create(body)
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.code === 'ROW_INVALID')
        }
      }),
    )
  })
})

describe('a body that changes', () => {
  it('names the fields that it changes, by position', () => {
    assert.deepEqual(
      [...validator.change({ meta: { a: 1 }, comment: null })],
      [
        [1, null],
        [2, { a: 1 }],
      ],
    )
    assert.equal(validator.change({}).size, 0)
  })

  it('cannot empty what is required', () => {
    assert.deepEqual(refusedAt({ rating: null }, 'change'), ['/rating'])
  })
})

describe('an instant', () => {
  it('that a database wrote at offset zero is the same without a date', () => {
    const instants = fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(instants, (date) => {
        const text = date.toISOString()
        // PostgreSQL leaves zeros at the end of the fraction out, and a fraction of nothing but zeros.
        const fraction = text.slice(19, 23).replace(/\.?0*$/, '')
        assert.equal(reformatInstant(`${text.slice(0, 10)} ${text.slice(11, 19)}${fraction}+00`), text)
      }),
    )
    for (const other of [
      '2026-11-20 21:07:05+01',
      '2026-11-20 21:07:05.123456+00',
      '2026-13-20 21:07:05+00',
      'never',
      '',
    ]) {
      assert.equal(reformatInstant(other), null, other)
    }
  })

  for (const text of [
    '2026-01-31T12:00:00Z',
    '2024-02-29t00:00:00z',
    '2026-01-31T12:00:00.123456789+14:00',
    '0001-01-01T00:00:00Z',
  ]) {
    it(`is read: ${text}`, () => assert.notEqual(parseInstant(text), null))
  }
  const wrong = [
    '',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-02-30T12:00:00Z',
    '2025-02-29T12:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:00:60Z',
    '2026-01-31 12:00:00Z',
    '10000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+01:00',
  ]
  for (const text of wrong) {
    it(`is refused: ${text || 'nothing'}`, () => assert.equal(parseInstant(text), null))
  }

  it('is written as JavaScript itself writes it', () => {
    const any = fc.oneof(fc.maxSafeInteger(), fc.date({ noInvalidDate: true }).map(Number), fc.double())
    fc.assert(
      fc.property(any, (ms) => {
        const date = new Date(ms)
        assert.equal(formatInstant(ms), Number.isNaN(date.getTime()) ? null : date.toISOString())
      }),
    )
  })
})
