import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FieldValue } from '../../../src/collection/declaration/canonical.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { compareValues, isMatch } from '../../../src/collection/filter/evaluator.ts'
import { FilterReader } from '../../../src/collection/filter/filter-reader.ts'
import fc from '../../support/property.ts'

const collection: Collection = {
  name: 'things',
  fields: {
    count: { type: 'integer' },
    real: { type: 'number' },
    word: { type: 'string' },
    done: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    ref: { type: 'string', format: 'uuid' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    big: { type: 'string', format: 'int64' },
    tags: { type: 'array', items: { type: 'string' } },
    meta: {
      type: 'object',
      properties: { size: { type: 'integer' }, when: { type: 'string', format: 'date-time' } },
    },
  },
}

const asked = new Set(['id', ...Object.keys(collection.fields)])

function isTrue(where: unknown, row: Readonly<Record<string, FieldValue>>): boolean {
  return isMatch(new FilterReader({ collection, asked }).ofJson(where), new Map(Object.entries(row)))
}

describe('the evaluator', () => {
  const cases: readonly (readonly [unknown, Readonly<Record<string, FieldValue>>, boolean])[] = [
    [{}, {}, true],
    [{ OR: [] }, {}, false],
    [{ NOT: {} }, {}, false],
    [{ count: { ne: 1 } }, {}, true],
    [{ count: { nin: [1] } }, { count: null }, true],
    [{ count: { lt: 1 } }, { count: null }, false],
    [{ NOT: { count: { lt: 1 } } }, { count: null }, true],
    [{ count: null }, {}, true],
    [{ count: { null: false } }, { count: 0 }, true],
    [{ word: { contains: '' } }, { word: 'x' }, true],
    [{ word: { contains: '' } }, {}, false],
    [{ word: { contains: '%' } }, { word: 'a%b' }, true],
    [{ word: { contains: '_' } }, { word: 'ab' }, false],
    [{ word: 'A' }, { word: 'a' }, false],
    [{ word: 'a' }, { word: 'a ' }, false],
    [{ word: { icontains: 'CRaSH' } }, { word: 'a crash' }, true],
    // Beyond ASCII, databases differ.
    [{ word: { icontains: 'É' } }, { word: 'é' }, false],
    [{ word: { gt: '\uffff' } }, { word: '\u{1f600}' }, true],
    [{ price: { gt: '9.00' } }, { price: '10.00' }, true],
    [{ price: '10' }, { price: '10.00' }, true],
    [{ price: { lt: '-1' } }, { price: '-1.01' }, true],
    [{ big: { gt: '9223372036854775806' } }, { big: '9223372036854775807' }, true],
    [{ at: '2026-01-31T12:00:00+02:00' }, { at: new Date('2026-01-31T10:00:00Z') }, true],
    [{ done: { ne: true } }, { done: false }, true],
    [{ tags: { has: ['a', 'b'] } }, { tags: ['b', 'c', 'a'] }, true],
    [{ tags: { has: ['a', 'b'] } }, { tags: ['a'] }, false],
    [{ tags: { has: '1' } }, { tags: [1] }, false],
    [{ tags: { has: 'a' } }, {}, false],
    [{ 'meta.x': '1' }, { meta: { x: 1 } }, true],
    [{ 'meta.x': 1 }, { meta: { x: '1' } }, true],
    [{ 'meta.x': true }, { meta: { x: 'true' } }, true],
    [{ 'meta.x': '1.5' }, { meta: { x: 1.5 } }, false],
    [{ 'meta.x': { ne: '1.5' } }, { meta: { x: 1.5 } }, true],
    [{ 'meta.x': null }, { meta: { x: 1.5 } }, false],
    [{ 'meta.x': null }, { meta: { x: null } }, true],
    [{ 'meta.x': null }, {}, true],
    [{ 'meta.x.0': 'a' }, { meta: { x: ['a'] } }, false],
    [{ 'meta.x.length': 1 }, { meta: { x: ['a'] } }, false],
    [{ 'meta.constructor.name': 'Object' }, { meta: {} }, false],
    [{ 'meta.x': { startsWith: 'a' } }, { meta: { x: 'ab' } }, true],
    [{ 'meta.size': { gte: 9 } }, { meta: { size: 10 } }, true],
    [{ 'meta.size': { gte: 9 } }, { meta: { size: '10' } }, false],
    [{ 'meta.size': null }, { meta: { size: '10' } }, false],
    [{ 'meta.when': { gt: '2026-01-01' } }, { meta: { when: '2026-01-31T10:00:00.000Z' } }, true],
    // Not in the form of answers, as it may be in a row of before the declaration.
    [{ 'meta.when': { gt: '2026-01-01' } }, { meta: { when: '2026-01-31T10:00:00Z' } }, false],
  ]
  for (const [where, row, is] of cases) {
    it(`finds ${JSON.stringify(where)} ${is} for ${JSON.stringify(row)}`, () => assert.equal(isTrue(where, row), is))
  }
})

describe('the order of values', () => {
  it('is that of bytes for text', () => {
    const unit = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('\ud7ff', '\ue000', '\uffff', '\u{10000}', 'a') })) // biome-ignore format: one line says it
    fc.assert(
      fc.property(unit, unit, (one, other) => {
        const bytes = Buffer.from(one).compare(Buffer.from(other))
        assert.equal(Math.sign(compareValues({ kind: 'text' }, one, other)), bytes)
      }),
    )
  })

  it('puts null first', () => {
    assert.ok(compareValues({ kind: 'integer' }, null, -5) < 0)
    assert.ok(compareValues({ kind: 'text' }, '', null) > 0)
    assert.equal(compareValues({ kind: 'text' }, null, null), 0)
  })
})

/** The naive model: rows are JSON as it is answered, each kind compared in the plainest way. */
type JsonRow = Readonly<Record<string, unknown>>

function modelHolds(where: Readonly<Record<string, unknown>>, row: JsonRow): boolean {
  return Object.entries(where).every(([name, value]) => {
    if (name === 'AND') return (value as JsonRow[]).every((inner) => modelHolds(inner, row))
    if (name === 'OR') return (value as JsonRow[]).some((inner) => modelHolds(inner, row))
    if (name === 'NOT') return !modelHolds(value as JsonRow, row)
    const found = row[name] ?? null
    if (value === null) return found === null
    if (typeof value !== 'object') return modelCompares(name, 'eq', found, value)
    return Object.entries(value).every(([operator, operand]) => modelCompares(name, operator, found, operand))
  })
}

function modelCompares(name: string, operator: string, found: unknown, operand: unknown): boolean {
  if (operator === 'ne') return !modelCompares(name, 'eq', found, operand)
  if (operator === 'nin') return !modelCompares(name, 'in', found, operand)
  if (operator === 'null') return (found === null) === operand
  if (operator === 'in') return (operand as unknown[]).some((one) => modelCompares(name, 'eq', found, one))
  if (found === null) return false
  if (operator === 'has') return [operand].flat().every((one) => (found as unknown[]).includes(one))
  const text = String(found)
  if (operator === 'contains') return text.split(String(operand)).length > 1 || operand === ''
  if (operator === 'startsWith') return text.slice(0, String(operand).length) === operand
  if (operator === 'endsWith') return operand === '' || text.slice(-String(operand).length) === operand
  if (operator === 'icontains') return text.toLowerCase().includes(String(operand).toLowerCase())
  const [a, b] = [modelKey(name, found), modelKey(name, operand)]
  if (operator === 'eq') return a === b
  if (operator === 'gt') return a > b
  if (operator === 'gte') return a >= b
  return operator === 'lt' ? a < b : a <= b
}

function modelKey(name: string, value: unknown): string | number | bigint {
  if (name === 'at') return Date.parse(String(value))
  if (name === 'price') return BigInt(Math.round(Number(value) * 100))
  if (name === 'big') return BigInt(String(value))
  if (name === 'ref') return String(value).toLowerCase()
  return typeof value === 'boolean' ? Number(value) : (value as string | number)
}

const letters = fc.string({ unit: fc.constantFrom('a', 'A', 'b', '%', '_', '\\', "'"), maxLength: 3 })
const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  count: fc.integer({ min: -2, max: 2 }),
  real: fc.constantFrom(-0.5, 0, 0.5, 1e21, 3),
  word: letters,
  done: fc.boolean(),
  at: fc.constantFrom('2026-01-31T10:00:00.000Z', '2026-01-31T10:00:00.001Z', '1999-12-31T23:59:59.999Z'),
  day: fc.constantFrom('2026-01-31', '2026-02-01', '0001-01-01'),
  ref: fc.constantFrom('aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000'),
  price: fc.integer({ min: -1_100, max: 1_100 }).map((cents) => (cents / 100).toFixed(2)),
  big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
}
const orderedNames = ['count', 'real', 'word', 'at', 'day', 'price', 'big']

const condition: fc.Arbitrary<Record<string, unknown>> = fc.constantFrom(...Object.keys(values)).chain((name) => {
  const value = values[name] ?? fc.constant(null)
  const unary = ['eq', 'ne', ...(orderedNames.includes(name) ? ['gt', 'gte', 'lt', 'lte'] : [])]
  const searching = name === 'word' ? ['contains', 'startsWith', 'endsWith', 'icontains'] : []
  const lists = name === 'done' ? [] : ['in', 'nin']
  return fc.oneof(
    fc
      .tuple(fc.constantFrom(...unary, ...searching), value)
      .map(([operator, one]) => ({ [name]: { [operator]: one } })),
    ...(lists.length === 0
      ? []
      : [fc.tuple(fc.constantFrom(...lists), fc.array(value, { maxLength: 3 })).map(([operator, list]) => ({ [name]: { [operator]: list } }))]), // biome-ignore format: one line says it
    fc.boolean().map((is) => ({ [name]: { null: is } })),
    value.map((one) => ({ [name]: one })),
  )
})

const { where } = fc.letrec<{ where: Record<string, unknown> }>((tie) => ({
  where: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    condition,
    fc.array(tie('where'), { maxLength: 2 }).map((filters) => ({ AND: filters })),
    fc.array(tie('where'), { maxLength: 2 }).map((filters) => ({ OR: filters })),
    tie('where').map((filter) => ({ NOT: filter })),
  ),
}))

const jsonRow = fc.record(
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fc.option(value, { freq: 4 })])),
)

/** What the service has of a row that it answers like this. */
function inside(row: JsonRow): Readonly<Record<string, FieldValue>> {
  const { at, ...rest } = row
  return { ...(rest as Record<string, FieldValue>), at: typeof at === 'string' ? new Date(at) : null }
}

describe('a random filter', () => {
  it('is true of the rows of which a naive model says so', () => {
    let matches = 0
    fc.assert(
      fc.property(where, jsonRow, (filter, row) => {
        const is = modelHolds(filter, row)
        matches += Number(is)
        assert.equal(isTrue(filter, inside(row)), is)
      }),
      { numRuns: 3_000 },
    )
    assert.ok(matches > 500 && matches < 2_500, `${matches} matches`)
  })

  it('and its NOT are true of all rows together, and of none both', () => {
    fc.assert(
      fc.property(where, jsonRow, (filter, row) => {
        assert.notEqual(isTrue({ NOT: filter }, inside(row)), isTrue(filter, inside(row)))
      }),
      { numRuns: 1_000 },
    )
  })
})
