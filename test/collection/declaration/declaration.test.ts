import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { checkCollection } from '../../../src/collection/declaration/check.ts'
import { collectionSchema } from '../../../src/collection/declaration/schema.ts'
import { Validator } from '../../../src/collection/declaration/validator.ts'
import { carriedTableOf } from '../../../src/collection/table/carried-table.ts'
import { everything, feedback } from '../support.ts'

const schemaFile = new URL('../../../config/collection.schema.json', import.meta.url)
const feedbackFile = new URL('../../../config/collections/feedback.json', import.meta.url)

/** Where a declaration with these parts is wrong. */
function pointersOf(parts: object): readonly string[] {
  return checkCollection({ ...feedback, ...parts }).defects.map(({ pointer }) => pointer)
}

const field = (declared: object) => ({ fields: { rating: { type: 'integer' }, it: declared } })

const fieldNamed = (name: string) => ({ fields: { rating: { type: 'integer' }, [name]: { type: 'string' } } })

/** An index of this many texts of this length. */
function longIndex(texts: number, maxLength: number): object {
  const names = Array.from({ length: texts }, (_, at) => `t${at}`)
  const fields = Object.fromEntries(names.map((name) => [name, { type: 'string', maxLength }]))
  return { fields: { rating: { type: 'integer' }, ...fields }, indexes: [{ fields: names }] }
}

/** An array of this many levels. */
function nest(levels: number): unknown[] {
  return levels === 1 ? [] : [nest(levels - 1)]
}

describe('a declaration', () => {
  it('is taken with a default of 30 levels, and with an index of two texts of 255 characters', () => {
    assert.deepEqual(pointersOf(field({ type: 'array', default: nest(30) })), [])
    assert.deepEqual(pointersOf(longIndex(2, 255)), [])
  })

  it('is taken with a field of each kind', () => {
    assert.deepEqual(checkCollection(everything).defects, [])
    assert.equal(checkCollection(everything).collection, everything)
  })

  it('ships as feedback, with the limits that its users are promised', async () => {
    const declared = JSON.parse(await readFile(feedbackFile, 'utf8'))
    const { collection } = checkCollection(declared)
    assert.deepEqual(Object.keys(collection?.fields ?? {}), ['rating', 'comment', 'model', 'meta'])
    assert.deepEqual(collection?.required, ['rating'])
    assert.equal(collection?.maxRows, 1_000_000)
    const access = { create: 'public', list: 'public', get: 'public', update: 'admin', delete: 'admin' }
    assert.deepEqual(collection?.access, access)
    assert.notEqual(collection?.rateLimit, undefined)
  })

  it('is described to editors by config/collection.schema.json', async () => {
    const expected = `${JSON.stringify(collectionSchema, null, 2)}\n`
    if (process.env.UPDATE_GOLDEN === '1') await writeFile(schemaFile, expected)
    assert.equal(await readFile(schemaFile, 'utf8'), expected, 'Run this test with UPDATE_GOLDEN=1.')
  })

  for (const value of [null, 7, 'feedback', [], undefined]) {
    it(`is refused when it is ${JSON.stringify(value)}`, () => {
      assert.equal(checkCollection(value).collection, null)
    })
  }

  it('may name a policy for conflicts, and counters for merging', () => {
    const counters = { views: { type: 'integer', sum: true, default: 0 }, spent: { type: 'number', sum: true } }
    for (const conflict of ['park', 'merge', 'primary-wins', 'fallback-wins']) {
      assert.deepEqual(pointersOf({ conflict }), [], conflict)
    }
    const counting = { conflict: 'merge', fields: counters, required: ['views', 'spent'] }
    const { collection, defects } = checkCollection({ name: 'page', ...counting })
    assert.deepEqual(defects, [])
    assert.ok(collection !== null)
    assert.deepEqual([...new Validator(collection).create({ spent: 0.5 })], [0, 0.5])
    assert.deepEqual(carriedTableOf(collection).rules?.sums.get('views'), {
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
    })
  })

  it('may index the times and the version of a row, but not as a key', () => {
    assert.deepEqual(pointersOf({ indexes: [{ fields: ['rating', 'createdAt'] }, { fields: ['version'] }] }), [])
    for (const index of [
      { fields: ['createdAt'], unique: true },
      { fields: ['id'] },
      { fields: ['holdfast_attempt'] },
    ]) {
      assert.deepEqual(pointersOf({ indexes: [index] }), ['/indexes/0/fields/0'])
    }
  })

  it('may use each format, key, mark and grant', () => {
    const declared = {
      ids: 'client',
      owner: 'by',
      access: {
        create: ['user', { to: 'token', where: { rating: { gte: 1 } } }],
        update: 'owner',
        delete: 'none',
        aggregate: 'public',
      },
      fields: {
        rating: { type: 'integer', index: true },
        by: { type: 'string', maxLength: 255 },
        at: { type: 'string', format: 'date-time', default: 'now' },
        day: { type: 'string', format: 'date', default: 'today', unique: true },
        key: { type: 'string', format: 'uuid', default: 'uuid' },
        mail: { type: 'string', format: 'email', maxLength: 100, private: true },
        page: { type: 'string', format: 'uri', pattern: '^https:.*$', maxLength: 200 },
        price: { type: 'string', format: 'decimal', scale: 2, default: '0' },
        big: { type: 'string', format: 'int64', readOnly: true },
        secret: { type: 'string', writeOnly: true },
        of: { type: 'string', format: 'uuid', references: { collection: 'feedback', onDelete: 'cascade' } },
        tags: { type: 'array', items: { type: 'string', maxLength: 20 } },
        meta: {
          type: 'object',
          properties: {
            lang: { type: 'string', enum: ['en', 'de'] },
            'a-b': { type: 'object', properties: { c: { type: 'object', properties: { d: { type: 'number' } } } } },
          },
        },
      },
    }
    assert.deepEqual(checkCollection({ ...feedback, ...declared }).defects, [])
  })

  const inner = (declared: object) => field({ type: 'object', properties: { a: declared } })
  const level = (deep: object) => ({ type: 'object', properties: { b: deep } })
  const created = { access: { create: 'public' } }
  const reference = { type: 'string', format: 'uuid', references: 'feedback' }

  const wrong: readonly (readonly [string, object, string])[] = [
    ['a decimal without a scale', field({ type: 'string', format: 'decimal' }), '/fields/it'],
    ['ten digits behind the point', field({ type: 'string', format: 'decimal', scale: 10 }), '/fields/it/scale'],
    ['a scale of something else', field({ type: 'string', format: 'int64', scale: 2 }), '/fields/it/scale'],
    ['a choice of days', field({ type: 'string', format: 'date', enum: ['2026-01-01'] }), '/fields/it/enum'],
    ['an address that is too long', field({ type: 'string', format: 'email', maxLength: 255 }), '/fields/it/maxLength'],
    [
      'a default word of another format',
      field({ type: 'string', format: 'date', default: 'now' }),
      '/fields/it/default',
    ],
    [
      'a default with too many digits',
      field({ type: 'string', format: 'decimal', scale: 1, default: '1.25' }),
      '/fields/it/default',
    ],
    ['a unique object', field({ type: 'object', unique: true }), '/fields/it/unique'],
    ['a unique long text', field({ type: 'string', unique: true }), '/fields/it/unique'],
    ['an index of a long address', field({ type: 'string', format: 'uri', index: true }), '/fields/it/index'],
    ['a mark that is false', field({ type: 'string', private: false }), '/fields/it/private'],
    ['a field nobody may use', field({ type: 'string', readOnly: true, writeOnly: true }), '/fields/it/writeOnly'],
    [
      'a private field that others must write',
      { ...created, ...field({ type: 'string', private: true }), required: ['it'] },
      '/fields/it/private',
    ],
    ['a reference that is no UUID', field({ type: 'string', references: 'feedback' }), '/fields/it/references'],
    ['a reference to a name with a quote', field({ ...reference, references: 'a"b' }), '/fields/it/references'],
    ['a default of a reference', field({ ...reference, default: 'uuid' }), '/fields/it/default'],
    [
      'an unknown rule of deletes',
      field({ ...reference, references: { collection: 'feedback', onDelete: 'ignore' } }),
      '/fields/it/references/onDelete',
    ],
    [
      'a required reference that becomes null',
      { ...field({ ...reference, references: { collection: 'feedback', onDelete: 'setNull' } }), required: ['it'] },
      '/fields/it/references',
    ],
    ['an item without a type', field({ type: 'array', items: {} }), '/fields/it/items/type'],
    ['an item that is an object', field({ type: 'array', items: { type: 'object' } }), '/fields/it/items/type'],
    [
      'an item with a column',
      field({ type: 'array', items: { type: 'string', unique: true } }),
      '/fields/it/items/unique',
    ],
    [
      'a member with a blank in its name',
      field({ type: 'object', properties: { 'a b': { type: 'string' } } }),
      '/fields/it/properties/a b',
    ],
    [
      'a member called __proto__',
      field({ type: 'object', properties: JSON.parse('{"__proto__": {"type": "string"}}') }),
      '/fields/it/properties/__proto__',
    ],
    [
      'a bound of a member that leaves nothing',
      inner({ type: 'number', minimum: 2, maximum: 1 }),
      '/fields/it/properties/a/minimum',
    ],
    [
      'a member with a pattern of no length',
      inner({ type: 'string', pattern: '^a' }),
      '/fields/it/properties/a/pattern',
    ],
    [
      'members of four levels',
      inner(level(level(level({ type: 'string' })))),
      '/fields/it/properties/a/properties/b/properties/b/type',
    ],
    [
      'too many members',
      field({
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: 30 }, (_, at) => [`m${at}`, { type: 'object', properties: { a: { type: 'string' } } }]),
        ),
      }),
      '/fields/it/properties',
    ],
    [
      'patterns of many items',
      field({ type: 'array', items: { type: 'string', maxLength: 200, pattern: '^(a|b)*$' } }),
      '/fields/it/items',
    ],
    ['an unknown grant', { access: { list: ['public', 'everybody'] } }, '/access/list/1'],
    ['a grant with an empty list', { access: { list: [] } }, '/access/list'],
    ['a grant without a rule', { access: { list: { to: 'user' } } }, '/access/list/where'],
    ['a grant of an unknown key', { access: { list: { to: 'user', where: {}, if: 1 } } }, '/access/list/if'],
    ['a grant to an owner that no field names', { access: { update: ['owner'] } }, '/access/update'],
    ['an owner that is no field', { owner: 'nobody' }, '/owner'],
    ['an owner that is no text', { owner: 'rating' }, '/owner'],
    ['an owner of few characters', { ...field({ type: 'string', maxLength: 20 }), owner: 'it' }, '/owner'],
    ['ids of someone else', { ids: 'database' }, '/ids'],
    [
      'too many indexes in all',
      {
        fields: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`f${at}`, { type: 'boolean', index: true }])),
      },
      '/fields',
    ],
    ['a name with a hyphen', { name: 'feed-back' }, '/name'],
    ['a name with a quote', { name: 'a"; drop table b' }, '/name'],
    ['a name that begins with a capital', { name: 'Feedback' }, '/name'],
    ['a name of 64 characters', { name: 'a'.repeat(64) }, '/name'],
    ['a name of SQLite', { name: 'sqlite_master' }, '/name'],
    ['a name of ours', { name: 'holdfast_attempt' }, '/name'],
    ['a name of every object', { name: 'constructor' }, '/name'],
    ['an unknown key', { maxrows: 5 }, '/maxrows'],
    ['no fields', { fields: {} }, '/fields'],
    [
      'too many fields',
      { fields: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`f${n}`, { type: 'boolean' }])) },
      '/fields',
    ],
    ['a field that every row has', { fields: { rating: { type: 'integer' }, id: { type: 'string' } } }, '/fields/id'],
    [
      'the same in another case',
      { fields: { rating: { type: 'integer' }, createdat: { type: 'string' } } },
      '/fields/createdat',
    ],
    [
      'a field of every object',
      { fields: { rating: { type: 'integer' }, valueOf: { type: 'string' } } },
      '/fields/valueOf',
    ],
    [
      'two fields that differ in case',
      { fields: { rating: { type: 'integer' }, rAting: { type: 'integer' } } },
      '/fields/rAting',
    ],
    ['an unknown type', field({ type: 'uuid' }), '/fields/it/type'],
    ['a keyword of another type', field({ type: 'boolean', maxLength: 5 }), '/fields/it/maxLength'],
    ['a bound that is no integer', field({ type: 'integer', minimum: 1.5 }), '/fields/it/minimum'],
    ['bounds that leave nothing', field({ type: 'number', minimum: 2, maximum: 1 }), '/fields/it/minimum'],
    ['lengths that leave nothing', field({ type: 'string', minLength: 5, maxLength: 4 }), '/fields/it/minLength'],
    ['a default that does not fit', field({ type: 'string', maxLength: 2, default: 'long' }), '/fields/it/default'],
    ['a pattern without a length', field({ type: 'string', pattern: '^a$' }), '/fields/it/pattern'],
    ['a look-ahead', field({ type: 'string', maxLength: 9, pattern: '^(?=a)a$' }), '/fields/it/pattern'],
    ['a length of an instant', field({ type: 'string', format: 'date-time', maxLength: 5 }), '/fields/it/maxLength'],
    ['a required field that is none', { required: ['stars'] }, '/required/0'],
    ['an index of a field that is none', { indexes: [{ fields: ['stars'] }] }, '/indexes/0/fields/0'],
    ['an index of an object', { indexes: [{ fields: ['rating', 'meta'] }] }, '/indexes/0/fields/1'],
    ['a field of every class', fieldNamed('prototype'), '/fields/prototype'],
    ...['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid', 'db_row_id', 'db_Trx_Id'].map(
      (name) => [`a column of the database: ${name}`, fieldNamed(name), `/fields/${name}`] as const,
    ),
    ['a default with U+0000', field({ type: 'string', default: 'a\0' }), '/fields/it/default'],
    ['a default with half a pair', field({ type: 'object', default: { a: ['\ud800'] } }), '/fields/it/default/a/0'],
    [
      'a default with a name of half a pair',
      field({ type: 'object', default: { '\udc00': 1 } }),
      '/fields/it/default/\udc00',
    ],
    ['a choice with U+0000', field({ type: 'string', enum: ['a', '\0'] }), '/fields/it/enum/1'],
    ['a default of 31 levels', field({ type: 'array', default: nest(31) }), `/fields/it/default${'/0'.repeat(30)}`],
    ['an index of texts that are long together', longIndex(3, 255), '/indexes/0/fields'],
    ['an index of long text', { indexes: [{ fields: ['comment'] }] }, '/indexes/0/fields/0'],
    ['an access for nobody', { access: { create: 'nobody' } }, '/access/create'],
    ['an operation that is none', { access: { drop: 'admin' } }, '/access/drop'],
    ['a rate limit without a window', { rateLimit: { requests: 5 } }, '/rateLimit/windowS'],
    ['no rows at all', { maxRows: 0 }, '/maxRows'],
    ['a durability that nobody can demand', { durability: 'eternal' }, '/durability'],
    ['a policy for conflicts that is none', { conflict: 'last-wins' }, '/conflict'],
    ['a counter of texts', field({ type: 'string', sum: true }), '/fields/it/sum'],
    ['a counter that is none', field({ type: 'integer', sum: false }), '/fields/it/sum'],
    ['a counter that may be null', { conflict: 'merge', ...field({ type: 'integer', sum: true }) }, '/fields/it/sum'],
    [
      'a counter that is never added up',
      { fields: { rating: { type: 'integer', sum: true } }, conflict: 'primary-wins' },
      '/fields/rating/sum',
    ],
    [
      'a counter of a choice',
      { fields: { rating: { type: 'integer', sum: true, enum: [1, 2] } }, conflict: 'merge' },
      '/fields/rating/sum',
    ],
  ]
  for (const [what, parts, pointer] of wrong) {
    it(`is refused with ${what}, and told where`, () => {
      assert.ok(pointersOf(parts).includes(pointer), `${pointersOf(parts).join(' ')} lacks ${pointer}`)
    })
  }
})
