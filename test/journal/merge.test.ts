import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image, ImageColumn } from '../../src/driver/facet/image.ts'
import { type ConflictRules, merge, mergedAttempt, type RowVersions } from '../../src/journal/merge.ts'
import fc from '../support/property.ts'

const kinds: Readonly<Record<string, ImageColumn['kind']>> = {
  id: 'text',
  word: 'text',
  flag: 'boolean',
  at: 'instant',
  meta: 'json',
  whole: 'integer',
  real: 'number',
  views: 'integer',
  spent: 'number',
  price: 'decimal',
  balance: 'decimal',
  createdAt: 'instant',
  updatedAt: 'instant',
  version: 'integer',
  holdfast_attempt: 'text',
}
const columns: ReadonlyMap<string, ImageColumn> = new Map(
  Object.entries(kinds).map(([name, kind]) => [name, { name, kind, scale: 2 }]),
)
const rules: ConflictRules = {
  policy: 'merge',
  sums: new Map([
    ['views', { minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }],
    ['spent', { minimum: -1_000, maximum: 1_000 }],
    ['balance', { minimum: -Infinity, maximum: Infinity }],
  ]),
}

const plain: Image = {
  id: 'a',
  word: 'x',
  flag: '0',
  at: '1000',
  meta: '{"a":1,"b":[1,2]}',
  whole: '5',
  real: '0.5',
  views: '5',
  spent: '0.5',
  price: '12.50',
  balance: '12.50',
  createdAt: '1000',
  updatedAt: '2000',
  version: '3',
  holdfast_attempt: 'base',
}

/** What the merge changes of theirs; `'conflict'` where it is one. */
function merged(ours: Image, theirs: Image, base: Image = {}): Image | 'conflict' {
  const versions: RowVersions = {
    base: { ...plain, ...base },
    ours: { ...plain, ...base, holdfast_attempt: 'own', ...ours },
    theirs: { ...plain, ...base, holdfast_attempt: 'other', ...theirs },
  }
  const changes = merge(versions, 'own', columns, rules)
  if (changes === null) return 'conflict'
  const { holdfast_attempt: attempt, ...rest } = changes
  assert.equal(attempt, mergedAttempt('own'))
  assert.ok(attempt !== 'own' && attempt !== 'other')
  return rest
}

test('a column that one side alone has changed takes its value, in whatever form a database writes the other', () => {
  assert.deepEqual(merged({ word: 'ours' }, { flag: '1' }), { word: 'ours' })
  assert.deepEqual(merged({ word: null }, { at: null }), { word: null })
  assert.deepEqual(merged({ whole: '6' }, { real: '5e-1', spent: '-0.25' }), { whole: '6' })
  assert.deepEqual(merged({ meta: '{}' }, { meta: '{"b": [1.0, 2], "a": 1}' }), { meta: '{}' })
  assert.deepEqual(merged({ meta: '{"b":[1,2],"a":1}' }, { meta: '{}' }), {})
})

test('a column that both have changed is a conflict, unless to the same value', () => {
  assert.equal(merged({ word: 'ours' }, { word: 'theirs' }), 'conflict')
  assert.equal(merged({ word: 'ours' }, { word: null }), 'conflict')
  assert.equal(merged({ word: 'ours ' }, { word: 'ours' }), 'conflict')
  assert.deepEqual(merged({ word: 'both' }, { word: 'both' }), {})
  assert.deepEqual(merged({ flag: '1', at: '7' }, { flag: '1', at: '7' }), {})
  assert.deepEqual(merged({ meta: '{"x":1,"y":2}' }, { meta: '{"y": 2, "x": 1}' }), {})
  assert.deepEqual(merged({ word: null, whole: null, views: null }, { word: null, whole: null, views: null }), {})
})

test('two equal numbers may be two increments: a conflict, unless the field is a sum', () => {
  assert.equal(merged({ whole: '6' }, { whole: '6' }), 'conflict')
  assert.equal(merged({ real: '1.5' }, { real: '1.5' }), 'conflict')
  assert.deepEqual(merged({ views: '6' }, { views: '6' }), { views: '7' })
  assert.deepEqual(merged({ spent: '0.75' }, { spent: '1' }), { spent: '1.25' })
  assert.deepEqual(merged({ views: '2' }, { views: '9' }), { views: '6' })
})

test('integers add up exactly, and a sum that the field does not accept is a conflict', () => {
  const large = '9007199254740991'
  assert.deepEqual(merged({ views: '9007199254740990' }, { views: '-9007199254740990' }, { views: '0' }), {
    views: '0',
  })
  assert.deepEqual(merged({ views: '9007199254740989' }, { views: '2' }, { views: '0' }), { views: large })
  assert.equal(merged({ views: large }, { views: '1' }, { views: '0' }), 'conflict')
  assert.equal(merged({ views: '-1' }, { views: `-${large}` }, { views: '0' }), 'conflict')
  assert.equal(merged({ views: '9223372036854775807' }, { views: '1' }, { views: '0' }), 'conflict')
  assert.equal(merged({ spent: '900' }, { spent: '101' }, { spent: '0' }), 'conflict')
  assert.deepEqual(merged({ spent: '900' }, { spent: '100' }, { spent: '0' }), { spent: '1000' })
})

test('decimals add up exactly, and 64-bit integers, and a sum that their column does not hold is a conflict', () => {
  assert.deepEqual(merged({ balance: '12.40' }, { balance: '0.00' }), { balance: '-0.10' })
  assert.deepEqual(merged({ balance: '0.01' }, { balance: '9999999999999999.97' }, { balance: '0.00' }), {
    balance: '9999999999999999.98',
  })
  assert.deepEqual(merged({ balance: '-12.50' }, { balance: '25.00' }), { balance: '0.00' })
  assert.equal(merged({ balance: '0.03' }, { balance: '9999999999999999.97' }, { balance: '0.00' }), 'conflict')
  assert.equal(merged({ balance: '12.60' }, { balance: '1.5' }), 'conflict')
  assert.equal(merged({ price: '12.60' }, { price: '12.60' }), 'conflict')
  assert.deepEqual(merged({ word: 'ours' }, { price: '12.5' }), { word: 'ours' }, 'the same in another form')
  assert.deepEqual(merged({ price: '12.60' }, { price: '12.5' }), { price: '12.60' })
  assert.equal(merged({ views: '9223372036854775807' }, { views: '6' }), 'conflict')
})

test('null adds up with nothing, nor does what is not a number', () => {
  assert.equal(merged({ views: null }, { views: '6' }), 'conflict')
  assert.equal(merged({ views: '6' }, { views: null }), 'conflict')
  assert.equal(merged({ views: '6' }, { views: '7' }, { views: null }), 'conflict')
  assert.equal(merged({ spent: '1' }, { spent: 'NaN' }), 'conflict')
  assert.equal(merged({ spent: '1' }, { spent: 'Infinity' }), 'conflict')
  assert.equal(merged({ views: '1.5' }, { views: '7' }), 'conflict')
})

test('versions count the changes of both sides, and the later change is the last one', () => {
  assert.deepEqual(merged({ version: '5', updatedAt: '5000' }, { version: '7', updatedAt: '4000' }), {
    version: '9',
    updatedAt: '5000',
  })
  assert.deepEqual(merged({ version: '4', updatedAt: '5000' }, { version: '4', updatedAt: '6000' }), { version: '5' })
  // Raw SQL counts nothing, and clocks differ.
  assert.deepEqual(merged({ version: '4', updatedAt: '1500' }, { word: 'by hand' }), { version: '4' })
  // -1000 is before 900.
  assert.deepEqual(merged({ updatedAt: '900' }, { updatedAt: '-1000' }), { updatedAt: '900' })
  assert.equal(merged({ updatedAt: '5000' }, { updatedAt: 'infinity' }), 'conflict')
})

test('a column that was added on one side meanwhile keeps its values', () => {
  const more = new Map([...columns, ['more', { name: 'more', kind: 'text' } as const]])
  const own = mergedAttempt('own')
  const at = (ours: Image, theirs: Image): Image | null =>
    merge({ base: plain, ours: { ...plain, ...ours }, theirs: { ...plain, ...theirs } }, 'own', more, rules)
  assert.deepEqual(at({ word: 'ours' }, { more: 'theirs' }), { word: 'ours', holdfast_attempt: own })
  assert.deepEqual(at({ more: null }, { more: 'theirs' }), { holdfast_attempt: own })
  assert.deepEqual(at({ more: 'ours' }, {}), { more: 'ours', holdfast_attempt: own })
  assert.equal(at({ more: 'ours' }, { more: 'theirs' }), null)
})

/** A change of one row: columns with their new values. */
const change = fc.dictionary(
  fc.constantFrom('word', 'flag', 'whole', 'views', 'spent'),
  fc.constantFrom('1', '2', null),
  { maxKeys: 3, noNullPrototype: true },
)

test('a change is merged by its difference: what others have changed stays, and what they have not takes it', () => {
  fc.assert(
    fc.property(change, change, (ours, theirs) => {
      const expected = patched(plain, ours, { ...plain, ...theirs })
      const changes = merged(ours, theirs)
      assert.deepEqual(changes === 'conflict' ? null : { ...plain, ...theirs, ...changes }, expected)
    }),
  )
})

test('changes that follow each other on the fallback merge one by one as they would at once', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), change, (list, foreign) => {
      let [ours, theirs]: [Image, Image | null] = [plain, { ...plain, ...foreign, holdfast_attempt: 'other' }]
      let expected: Image | null = theirs
      for (const [at, one] of list.entries()) {
        const next: Image = { ...ours, ...one, holdfast_attempt: `own ${at}` }
        if (expected !== null) expected = patched(ours, one, expected)
        if (theirs !== null) {
          const changes = merge({ base: ours, ours: next, theirs }, `own ${at}`, columns, rules)
          theirs = changes === null ? null : { ...theirs, ...changes }
        }
        ours = next
      }
      const attempt = list.length === 0 ? 'other' : mergedAttempt(`own ${list.length - 1}`)
      assert.deepEqual(theirs, expected === null ? null : { ...expected, holdfast_attempt: attempt })
    }),
  )
})

/** The reference: a list of differences, each of which fits a row or not; null: one does not. */
function patched(before: Image, changes: Image, row: Image): Image | null {
  const made: Record<string, string | null> = { ...row }
  for (const [name, to] of Object.entries(changes)) {
    const [from, there] = [before[name] ?? null, row[name] ?? null]
    const isNumber = name === 'whole' || name === 'views' || name === 'spent'
    const isSum = name === 'views' || name === 'spent'
    if (from === to) continue
    if (there === from) made[name] = to
    else if (to === null && there === null) continue
    else if (isSum && from !== null && to !== null && there !== null)
      made[name] = String(Number(there) + Number(to) - Number(from))
    else if (isNumber || there !== to) return null
  }
  return made
}
