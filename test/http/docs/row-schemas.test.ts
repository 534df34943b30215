import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { adminCaller, publicCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import { schemaDocument } from '../../../src/http/docs/schema-document.ts'
import { orders } from './collections.ts'

/** Strict: an unknown keyword or format is a defect. */
function compile(part = ''): ValidateFunction {
  const ajv = new Ajv2020({ allowUnionTypes: true, formats: { decimal: true, int64: true } })
  formats.default(ajv, ['date-time', 'date', 'uuid', 'email', 'uri'])
  const document = schemaDocument(orders, visibleFields(orders, publicCaller))
  ajv.addSchema(document, 'orders')
  return ajv.compile({ $ref: `orders#${part}` })
}

const id = '019a2b4c-7d5e-7f60-8a1b-2c3d4e5f6071'
const now = '2026-01-31T12:00:00.000Z'
const whole = {
  title: 'A chair',
  state: 'open',
  slug: 'chair',
  price: '12.50',
  units: '9007199254740993',
  stock: 3,
  weight: 1.5,
  isGift: true,
  day: '2026-01-31',
  placedAt: now,
  mail: 'a@example.com',
  page: 'https://example.com/',
  customer: id,
  tags: ['oak'],
  meta: { lang: 'en', other: [1] },
  notes: {},
  limit: null,
}

test('the schema of a row accepts a row and nothing that a row never is', () => {
  const accepts = compile()
  const row = { id, ...whole, approved: null, author: 'token:shop', createdAt: now, updatedAt: now, version: 1 }
  assert.ok(accepts(row), JSON.stringify(accepts.errors))
  assert.ok(accepts({ ...row, price: '-1234567890123456.5', state: null }))
  assert.ok(accepts({ ...row, price: null, units: '-9223372036854775808' }))
  const wrong = [
    ...[{ title: null }, { stock: 1.5 }, { stock: 101 }, { price: 12.5 }, { price: '12.505' }, { units: 7 }],
    ...[{ state: 'lost' }, { day: now }, { placedAt: 'today' }, { customer: 'me' }, { tags: [1] }, { version: 0 }],
    ...[{ price: '12345678901234567.5' }, { price: '012' }, { units: '+7' }, { units: '12345678901234567890' }],
    ...[{ meta: { lang: 1 } }, { meta: { size: { width: 'wide' } } }, { mail: 'me' }, { page: 'here' }],
  ]
  for (const one of wrong) assert.ok(!accepts({ ...row, ...one }), JSON.stringify(one))
  const { title: _title, ...untitled } = row
  assert.ok(!accepts(untitled), 'every field is in every row')
})

test('the schemas of bodies demand what a create needs and refuse what a client may not write', () => {
  const [creates, changes] = [compile('/$defs/create'), compile('/$defs/change')]
  assert.ok(creates({ title: 'A chair', stock: 3 }), JSON.stringify(creates.errors))
  assert.ok(creates({ id, ...whole, password: 'secret' }), JSON.stringify(creates.errors))
  assert.ok(changes({ title: 'A table', price: null, $inc: { stock: -1, units: '5', price: '-0.50' } }))
  assert.ok(changes({}))
  for (const one of [{}, { title: 'A chair' }, { title: 'A', stock: 3 }]) assert.ok(!creates(one), JSON.stringify(one))
  for (const one of [{ approved: true }, { author: 'me' }, { margin: 1 }, { version: 1 }, { other: 1 }]) {
    assert.ok(!creates({ title: 'A chair', stock: 3, ...one }), JSON.stringify(one))
    assert.ok(!changes(one), JSON.stringify(one))
  }
  for (const one of [{ title: null }, { $inc: { weight: 1 } }, { $inc: { title: 1 } }, { $inc: { stock: 0.5 } }]) {
    assert.ok(!changes(one), JSON.stringify(one))
  }
})

test('a default that is a value is in the schema; one that is drawn for each row is in words', () => {
  const { $defs } = schemaDocument(orders, visibleFields(orders, adminCaller)) as {
    $defs: { create: { properties: Record<string, { default?: unknown; description?: string }> } }
  } // As it is made.
  const { state, isGift, day, placedAt } = $defs.create.properties
  assert.deepEqual(
    [state?.default, isGift?.default, day?.default, placedAt?.default],
    ['open', false, undefined, undefined],
  )
  assert.match(day?.description ?? '', /today/)
  assert.match(placedAt?.description ?? '', /now/)
})
