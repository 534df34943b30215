import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import Database from 'better-sqlite3'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables } from '../../../src/collection/table/tables.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { makeTempDir } from '../../support/temp.ts'
import { everything, feedback, fileOf, openHouse } from '../support.ts'

/** What the file holds, by name. */
function schemaOf(dir: string): ReadonlyMap<string, string> {
  const db = new Database(fileOf(dir), { readonly: true })
  try {
    const rows = db.prepare<[], { name: string; sql: string | null }>('select name, sql from sqlite_master').all()
    return new Map(rows.map(({ name, sql }) => [name, sql ?? '']))
  } finally {
    db.close()
  }
}

/** Runs SQL on the file before the service opens it. */
function before(dir: string, sql: string): void {
  const db = new Database(fileOf(dir))
  db.exec(sql)
  db.close()
}

const ownColumns = 'createdAt datetime, updatedAt datetime, version integer not null default 1, holdfast_attempt text'

describe('the tables of the collections', () => {
  it('are made at the first opening, with their keys, and left alone afterwards', async (t) => {
    const dir = await makeTempDir(t)
    const house = openHouse(t, dir, [feedback, everything])
    const store = await house.store()
    assert.equal(house.reports[0]?.applied.length, 4)
    assert.match(schemaOf(dir).get('everything_word_unique') ?? '', /unique index/i)
    const again = await ensureTables(store, [feedback, everything], 'additive', AbortSignal.timeout(5_000))
    const { applied, missing, problems, unusable, rewriting, otherOrder } = again
    assert.deepEqual([applied, missing, problems, unusable.size, rewriting.size], [[], [], [], 0, 0])
    assert.deepEqual([...otherOrder.values()], [new Set(), new Set()])
  })

  it('have indexes whose order is that of a sorted list, up to the id', async (t) => {
    const dir = await makeTempDir(t)
    const house = openHouse(t, dir, [{ ...everything, indexes: [{ fields: ['small'] }, { fields: ['createdAt'] }] }])
    await house.store()
    const db = new Database(fileOf(dir), { readonly: true })
    for (const column of ['small', 'createdAt']) {
      const sql = `explain query plan select * from everything order by "${column}" desc, id desc limit 20`
      const steps = db.prepare<[], { detail: string }>(sql).all()
      assert.deepEqual(
        steps.map(({ detail }) => detail),
        [`SCAN everything USING INDEX everything_${column}_id_index`],
      )
    }
    db.close()
  })

  it('get what a declaration has gained, and keep rows, triggers and tables that nobody declared', async (t) => {
    const dir = await makeTempDir(t)
    before(
      dir,
      `create table feedback (id text primary key, rating integer not null, old text, ${ownColumns});
       insert into feedback (id, rating, old) values ('01a1fa59-5117-779e-a923-656b1f8dd41a', 4, 'kept');
       create table theirs (a integer);
       create trigger noted after insert on feedback begin insert into theirs values (1); end;`,
    )
    const house = openHouse(t, dir, [
      { ...feedback, required: ['rating', 'comment'], indexes: [{ fields: ['rating'] }] },
    ])
    const { value } = await house.rows('feedback').get('01a1fa59-5117-779e-a923-656b1f8dd41a')
    assert.ok(value.is === 'row')
    assert.deepEqual(JSON.parse(value.text), {
      id: '01a1fa59-5117-779e-a923-656b1f8dd41a',
      rating: 4,
      comment: null,
      meta: null,
      createdAt: null,
      updatedAt: null,
      version: 1,
    })
    assert.equal(value.etag, null)
    const schema = schemaOf(dir)
    assert.ok(schema.has('noted') && schema.has('theirs') && schema.has('feedback_rating_id_index'))
    assert.match(schema.get('feedback') ?? '', /\bold text/)
    await house.rows('feedback').create({ rating: 1, comment: 'and new rows go in' })
  })

  const unfit: readonly (readonly [string, string, RegExp])[] = [
    ['a column of another kind', `id text primary key, rating text, ${ownColumns}`, /"rating" has type text/i],
    ['another key', `id text, rating integer primary key, ${ownColumns}`, /primary key/],
    [
      'a foreign column that must have a value',
      `id text primary key, rating integer, other text not null, ${ownColumns}`,
      /"other"/,
    ],
    ['a column without a type', `id text primary key, rating, ${ownColumns}`, /./],
  ]
  for (const [what, columns, message] of unfit) {
    it(`cannot be used when there is ${what}; the other collections are served`, async (t) => {
      const dir = await makeTempDir(t)
      before(dir, `create table feedback (${columns})`)
      const house = openHouse(t, dir, [feedback, everything])
      await house.rows('everything').create({ word: 'served' })
      const [problem] = house.reports[0]?.problems ?? []
      assert.equal(problem?.code, 'TABLE_UNFIT')
      assert.match(problem?.setting ?? '', /^collection feedback#/)
      assert.match(problem?.message ?? '', message)
      const refused = (error: unknown) => error instanceof HoldfastError && error.code === 'COLLECTION_UNAVAILABLE'
      await assert.rejects(house.rows('feedback').list(1, null), refused)
    })
  }

  it('that the database refuses to make cost only their own collection', async (t) => {
    const dir = await makeTempDir(t)
    before(dir, 'create table other (a integer); create view feedback as select a from other')
    const house = openHouse(t, dir, [feedback, everything])
    await house.rows('everything').create({ word: 'served' })
    assert.deepEqual([...(house.reports[0]?.unusable.keys() ?? [])], ['feedback'])
  })

  it('are not touched where nothing may be changed; the SQL that is missing is told', async (t) => {
    const dir = await makeTempDir(t)
    const house = openHouse(t, dir, [feedback], { apply: 'none' })
    await assert.rejects(house.rows('feedback').create({ rating: 5 }), /may not be created/)
    assert.match(house.reports[0]?.missing[0] ?? '', /create table .feedback/)
    assert.equal(house.reports[0]?.problems[0]?.code, 'TABLE_MISSING')
    assert.match(house.reports[0]?.problems[0]?.message ?? '', /does not exist, and SCHEMA_APPLY=none/)
    assert.equal(schemaOf(dir).has('feedback'), false)
  })

  it('are made once by several services that open one file at once', async (t) => {
    const dir = await makeTempDir(t)
    const names: readonly Collection[] = [feedback, everything]
    const houses = Array.from({ length: 3 }, () => openHouse(t, dir, names))
    await Promise.all(houses.map((house) => house.rows('feedback').create({ rating: 5 })))
    assert.equal(houses.flatMap(({ reports }) => reports.flatMap(({ applied }) => applied)).length, 4)
  })

  it('are made without a lock, too, where the driver has none', async (t) => {
    const dir = await makeTempDir(t)
    const house = openHouse(t, dir, [feedback], { apply: 'none' })
    const store = await house.store()
    const ensure = () =>
      ensureTables({ ...store, schemaLock: null }, [feedback], 'additive', AbortSignal.timeout(5_000))
    const reports = await Promise.all([ensure(), ensure()])
    assert.deepEqual(
      reports.map(({ unusable }) => unusable.size),
      [0, 0],
    )
    assert.ok(schemaOf(dir).has('feedback'))
  })

  it('mean the same to business code: what one way writes the other reads', async (t) => {
    const dir = await makeTempDir(t)
    const house = openHouse(t, dir, [everything])
    const given = {
      small: 7,
      large: 2 ** 53 - 1,
      real: 0.1,
      flag: false,
      word: 'ü',
      text: '"',
      things: [1],
      meta: { a: null },
    }
    const { value } = await house.rows('everything').create({ ...given, at: '2026-01-31T12:00:00Z' })
    const { value: written } = await house.work.transactional(async ({ em }) => {
      const row = await em.findOneOrFail(entityOf(everything), { id: value.id })
      assert.deepEqual(row.at, new Date('2026-01-31T12:00:00Z'))
      for (const [name, expected] of Object.entries(given)) assert.deepEqual(row[name], expected, name)
      return em.create(entityOf(everything), {
        ...given,
        word: 'made by an EntityManager',
        at: new Date(0),
      })
    })
    const { value: read } = await house.rows('everything').get(written.id)
    assert.ok(read.is === 'row' && read.etag !== null)
    const { id: _id, createdAt, updatedAt, ...rest } = JSON.parse(read.text)
    assert.deepEqual(rest, { ...given, word: 'made by an EntityManager', at: '1970-01-01T00:00:00.000Z', version: 1 })
    assert.equal(createdAt, updatedAt)
  })

  it('have one time for a row that business code creates, however often the clock is read', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    await house.store()
    const RealDate = Date
    let readings = 0
    globalThis.Date = class extends RealDate {
      constructor(...given: [] | [number]) {
        super(given.length === 0 ? RealDate.now() + ++readings : given[0])
      }
    } as DateConstructor // Reads as the real one does.
    t.after(() => {
      globalThis.Date = RealDate
    })
    const { value } = await house.work.transactional(async ({ em }) => em.create(entityOf(feedback), { rating: 1 }))
    assert.ok(readings > 0)
    assert.equal(Number(value.updatedAt), Number(value.createdAt))
  })

  it('give a row another ETag when business code changes it', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const { value } = await house.rows('feedback').create({ rating: 1 })
    await house.work.transactional(async ({ em }) => {
      const row = await em.findOneOrFail(entityOf(feedback), { id: value.id })
      row.rating = 2
    })
    const { value: read } = await house.rows('feedback').get(value.id)
    assert.ok(read.is === 'row' && read.etag !== value.etag)
    assert.equal(JSON.parse(read.text).version, 2)
  })
})
