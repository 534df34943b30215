import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import { canonicalDecimal, canonicalInt64, canonicalUuid } from '../../../src/collection/declaration/canonical.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { exampleRow } from '../../../src/collection/declaration/example.ts'
import { type BodyRules, givenId, Validator } from '../../../src/collection/declaration/validator.ts'
import { decimalOf, scaledInteger } from '../../../src/driver/facet/image.ts'
import { HoldfastError } from '../../../src/errors.ts'
import fc from '../../support/property.ts'

const items: Collection = {
  name: 'items',
  ids: 'client',
  owner: 'by',
  fields: {
    price: { type: 'string', format: 'decimal', scale: 2 },
    big: { type: 'string', format: 'int64' },
    day: { type: 'string', format: 'date' },
    key: { type: 'string', format: 'uuid' },
    mail: { type: 'string', format: 'email' },
    page: { type: 'string', format: 'uri' },
    meta: {
      type: 'object',
      properties: {
        at: { type: 'string', format: 'date-time' },
        sub: { type: 'object', properties: { price: { type: 'string', format: 'decimal', scale: 1 } } },
        n: { type: 'integer', maximum: 5 },
      },
    },
    tags: { type: 'array', items: { type: 'string', format: 'uuid' } },
    by: { type: 'string', maxLength: 255 },
    cost: { type: 'number', private: true },
    rank: { type: 'integer', readOnly: true, default: 0 },
    secret: { type: 'string', writeOnly: true },
  },
  required: ['by'],
}

const validator = new Validator(items)
const names = Object.keys(items.fields)
const id = '018F4D2E-7B1A-7C3D-9E4F-5A6B7C8D9E0F'
const admin: BodyRules = { owner: 'root' }
const fields = visibleFields(items, { is: 'public' })
const others: BodyRules = { fields, owner: 'token:a' }

/** The value that a field is stored with. */
function stored(name: string, value: unknown): unknown {
  return validator.create({ [name]: value }, admin)[names.indexOf(name)]
}

/** What a body is refused with: `pointer message`. */
function refusals(body: object, rules: BodyRules = admin): readonly string[] {
  try {
    validator.create(body, rules)
  } catch (error) {
    assert.ok(error instanceof HoldfastError)
    return (error.errors ?? []).map(({ pointer, message }) => `${pointer} ${message}`)
  }
  return []
}

const pointersOf = (body: object, rules?: BodyRules): readonly string[] =>
  refusals(body, rules).map((one) => one.slice(0, one.indexOf(' ')))

describe('a value of a format', () => {
  for (const [name, given, kept] of [
    ['price', '12.5', '12.50'],
    ['price', '-0.00', '0.00'],
    ['price', '-0', '0.00'],
    ['price', '-9999999999999999.99', '-9999999999999999.99'],
    ['big', '-9223372036854775808', '-9223372036854775808'],
    ['big', '-0', '0'],
    ['day', '2024-02-29', '2024-02-29'],
    ['key', id, id.toLowerCase()],
    ['mail', 'Ada@example.org', 'Ada@example.org'],
    ['page', 'https://example.org/a?b=c#d', 'https://example.org/a?b=c#d'],
  ] as const) {
    it(`has one form: ${name} ${given} is ${kept}`, () => assert.equal(stored(name, given), kept))
  }

  for (const [name, given] of [
    ['price', '1.234'],
    ['price', '12.500'],
    ['price', '10000000000000000'],
    ['price', '1e3'],
    ['price', '+1'],
    ['price', '01'],
    ['price', '.5'],
    ['price', '٣'],
    ['price', ''],
    ['price', 12.5],
    ['big', '9223372036854775808'],
    ['big', '1.0'],
    ['big', 9_007_199_254_740_991],
    ['big', '9'.repeat(1_000)],
    ['day', '2026-02-29'],
    ['day', '2026-1-1'],
    ['day', '0000-01-01'],
    ['day', '2026-01-31T00:00:00Z'],
    ['key', 'urn:uuid:018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f'],
    ['key', '018f4d2e7b1a7c3d9e4f5a6b7c8d9e0f'],
    ['mail', 'ada@'],
    ['mail', `${'a'.repeat(250)}@example.org`],
    ['page', 'example.org'],
    ['page', `https://example.org/${'a'.repeat(2_048)}`],
  ] as const) {
    it(`is refused: ${name} ${JSON.stringify(given).slice(0, 40)}`, () => {
      assert.deepEqual(pointersOf({ [name]: given }), [`/${name}`])
    })
  }

  it('has one form inside of an object and an array, too', () => {
    const meta = { z: 1, sub: { price: '3', x: '3' }, at: '2026-01-01T01:00:00+01:00' }
    assert.deepEqual(stored('meta', meta), { z: 1, at: '2026-01-01T00:00:00.000Z', sub: { x: '3', price: '3.0' } })
    assert.deepEqual(stored('tags', [id]), [id.toLowerCase()])
    assert.deepEqual(stored('meta', { n: null, sub: null }), { n: null, sub: null })
  })

  it('is refused where it is, inside of an object and an array', () => {
    assert.deepEqual(refusals({ meta: { sub: { price: '3.25' } } }), [
      '/meta/sub/price This value accepts a decimal as text, such as "12.5", with at most 17 digits before the point and 1 behind it.',
    ])
    assert.deepEqual(pointersOf({ meta: { n: 6 }, tags: [id, 'x'] }), ['/meta/n', '/tags/1'])
    assert.deepEqual(pointersOf({ tags: [null] }), ['/tags/0'])
  })
})

describe('a number as text', () => {
  it('is the same number as the whole one that is kept for it, whatever its digits', () => {
    const limit = 10n ** 18n - 1n
    fc.assert(
      fc.property(fc.bigInt({ min: -limit, max: limit }), fc.integer({ min: 0, max: 9 }), (digits, scale) => {
        const text = decimalOf(digits, scale)
        assert.equal(scaledInteger(text), digits)
        assert.equal(canonicalDecimal(text, scale), text)
      }),
    )
  })

  it('of 64 bits is itself, and no other', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (value) => {
        const isHeld = BigInt.asIntN(64, value) === value
        assert.equal(canonicalInt64(String(value)), isHeld ? String(value) : null)
      }),
    )
  })

  it('a UUID has lower case', () => {
    fc.assert(fc.property(fc.uuid(), (one) => assert.equal(canonicalUuid(one.toUpperCase()), one)))
  })
})

describe('a value that a new row is not given', () => {
  const drawing = new Validator({
    name: 'x',
    fields: {
      at: { type: 'string', format: 'date-time', default: 'now' },
      day: { type: 'string', format: 'date', default: 'today' },
      key: { type: 'string', format: 'uuid', default: 'uuid' },
      price: { type: 'string', format: 'decimal', scale: 2, default: '1' },
      since: { type: 'string', format: 'date-time', default: '2026-01-01T01:00:00+01:00' },
      word: { type: 'string', default: 'now' },
    },
  })

  it('is drawn for this row, or has its one form', () => {
    const now = new Date('2026-11-28T23:30:00Z')
    const [at, day, key, price, since, word] = drawing.create({}, { now })
    assert.deepEqual([at, day, price, word], [now, '2026-11-28', '1.00', 'now'])
    assert.deepEqual(since, new Date('2026-01-01T00:00:00Z'))
    assert.notEqual(key, drawing.create({}, { now })[2])
    assert.equal(canonicalUuid(String(key)), key)
  })

  it('is null where the body says so', () => {
    assert.deepEqual(drawing.create({ at: null, day: null, key: null }).slice(0, 3), [null, null, null])
  })
})

describe('a body of someone who does not see or write every field', () => {
  it('is refused with a private field as with one that is not there, which names no private one', () => {
    const [message] = refusals({ cost: 1 }, others)
    assert.equal(message, refusals({ coast: 1 }, others)[0]?.replace('/coast', '/cost'))
    assert.doesNotMatch(message ?? '', /, cost/)
    assert.match(refusals({ coast: 1 })[0] ?? '', /, cost/)
  })

  it('may not have a read-only field nor the owner, and may have one that is only written', () => {
    assert.deepEqual(refusals({ rank: 1, by: 'x' }, others), [
      '/rank This field is read-only. Remove it.',
      '/by This field is read-only. Remove it.',
    ])
    assert.deepEqual(pointersOf({ secret: 's' }, others), [])
    assert.deepEqual(pointersOf({ rank: 1, by: 'x', cost: 1 }), [])
    assert.throws(() => validator.change({ rank: 1 }, { fields }), { code: 'ROW_INVALID' })
  })

  it('names as owner its author; without one a required owner is missing', () => {
    assert.equal(validator.create({}, others)[names.indexOf('by')], 'token:a')
    assert.deepEqual(pointersOf({}, { fields, owner: null }), ['/by'])
    assert.equal(validator.create({ by: 'someone' }, admin)[names.indexOf('by')], 'someone')
  })
})

describe('an id that a client gives', () => {
  it('is accepted by a create where the declaration says so, in lower case', () => {
    assert.equal(givenId({ id }), id.toLowerCase())
    assert.equal(givenId({}), null)
    assert.deepEqual(pointersOf({ id }), [])
    assert.deepEqual(pointersOf({ id: 7 }), ['/id'])
    assert.deepEqual(pointersOf({ id: 'x' }), ['/id'])
  })

  it('is refused by any other', () => {
    const served = new Validator({ name: 'x', fields: { a: { type: 'boolean' } } })
    assert.throws(() => served.create({ id }), { code: 'ROW_INVALID' })
    assert.throws(() => validator.change({ id }), { code: 'ROW_INVALID' })
    assert.deepEqual([...served.create({ id, a: true }, { hasId: true })], [true])
    assert.equal(validator.change({ id, big: '1' }, { hasId: true }).size, 1)
  })
})

describe('an example', () => {
  it('is a valid row of anyone who may create one', () => {
    const wanted: Collection = { ...items, required: names.filter((name) => name !== 'cost') }
    const row = exampleRow(wanted)
    assert.ok(!('by' in row) && !('rank' in row) && !('cost' in row))
    new Validator(wanted).create(row, others)
  })
})
