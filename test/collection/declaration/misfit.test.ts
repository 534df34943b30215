import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { misfitOf } from '../../../src/collection/declaration/misfit.ts'

const things: Collection = {
  name: 'things',
  fields: {
    word: { type: 'string', maxLength: 3, minLength: 1 },
    kind: { type: 'string', enum: ['a', 'b'] },
    at: { type: 'string', format: 'date-time' },
    stars: { type: 'integer', minimum: 1, maximum: 5 },
    real: { type: 'number', enum: [0.5, 1] },
    flag: { type: 'boolean' },
    meta: { type: 'object' },
    list: { type: 'array' },
    day: { type: 'string', format: 'date' },
    key: { type: 'string', format: 'uuid' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    big: { type: 'string', format: 'int64' },
    mail: { type: 'string', format: 'email' },
  },
  required: ['word'],
}

const fitting = { word: 'abc', kind: 'a', at: '0', stars: '5', real: '0.5', flag: '1', meta: '{"a":1}', list: '[1]' }

const exact = {
  day: '2026-01-31',
  key: '018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f',
  price: '-0.05',
  big: '9007199254740993',
}

test('a row with values of each format matches', () => {
  assert.equal(misfitOf(things, { ...fitting, ...exact, mail: 'ada@example.org' }), null)
})

test('a row that matches its declaration has nothing that is said of it, nor has one with fields that are null', () => {
  assert.equal(misfitOf(things, fitting), null)
  assert.equal(misfitOf(things, { word: 'a' }), null)
  // Four units, two characters.
  assert.equal(misfitOf(things, { word: '😀😀' }), null)
})

for (const [name, value, why] of [
  ['word', null, '"word" is null'],
  ['word', 'abcd', '"word" is longer than 3 characters'],
  ['word', '', '"word" is shorter than 1 characters'],
  ['kind', 'c', '"kind" is not one of the declared values'],
  ['stars', '6', '"stars" is out of range'],
  ['stars', '0', '"stars" is out of range'],
  ['real', '0.25', '"real" is not one of the declared values'],
  ['meta', '[1]', '"meta" is not a JSON object'],
  ['list', '{"a":1}', '"list" is not a JSON array'],
  ['day', '2026-02-30', '"day" is not a day of the years 1 to 9999'],
  ['day', 'infinity', '"day" is not a day of the years 1 to 9999'],
  ['key', 'x', '"key" is not a UUID'],
  ['price', '1.234', '"price" is not a decimal with the declared digits'],
  ['price', 'NaN', '"price" is not a decimal with the declared digits'],
  ['big', '9223372036854775808', '"big" is not a whole number of 64 bits'],
  ['mail', 'a'.repeat(255), '"mail" is longer than 254 characters'],
] as const) {
  test(`${name} of ${value} does not match: ${why}`, () => {
    assert.equal(misfitOf(things, { ...fitting, [name]: value }), why)
  })
}

test('a whole number that JSON cannot hold does not match', () => {
  const counted: Collection = { name: 'counted', fields: { count: { type: 'integer' } } }
  assert.equal(misfitOf(counted, { count: '9007199254740993' }), '"count" is not a whole number that JSON holds')
})
