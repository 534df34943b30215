import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cursorCodec } from '../../../src/collection/query/cursor.ts'
import { newestFirst } from '../../../src/collection/query/sort.ts'
import type { Rows } from '../../../src/collection/row/rows.ts'
import { Rows as RowsOf } from '../../../src/collection/row/rows.ts'
import type { RunWork, Session } from '../../../src/database/work/session.ts'
import { HoldfastError } from '../../../src/errors.ts'
import fc from '../../support/property.ts'
import { makeTempDir } from '../../support/temp.ts'
import { everything, feedback, openHouse } from '../support.ts'

const code = (expected: string) => (error: unknown) => error instanceof HoldfastError && error.code === expected

/** The id that a cursor names. */
function idIn({ collection }: Rows, cursor: string | null): string | null {
  return cursor === null ? null : String(cursorCodec(collection, newestFirst).decode(cursor).after[0])
}

/** All pages, in the order in which they came. */
async function walk(rows: Rows, limit: number): Promise<readonly { readonly id: string }[]> {
  const items: { id: string }[] = []
  let cursor: string | null = null
  do {
    const page: { items: { id: string }[]; next: string | null } = JSON.parse(
      (await rows.list(limit, idIn(rows, cursor))).value.text,
    )
    assert.ok(page.items.length <= limit)
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return items
}

describe('rows', () => {
  it('come back as they were answered when they were created', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [everything])
    const rows = house.rows('everything')
    const body = fc.record(
      {
        small: fc.integer({ min: 0, max: 100 }),
        large: fc.maxSafeInteger(),
        real: fc.double({ noNaN: true, noDefaultInfinity: true }),
        flag: fc.boolean(),
        text: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
        at: fc
          .date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true })
          .map((date) => date.toISOString()),
        things: fc.array(fc.oneof(fc.boolean(), fc.integer(), fc.string({ unit: 'grapheme-ascii' }))),
        meta: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.integer(), { noNullPrototype: true }),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const { value } = await rows.create(given)
        const { value: read } = await rows.get(value.id)
        assert.ok(read.is === 'row')
        assert.equal(read.text, value.text)
        assert.equal(read.etag, value.etag)
        const row = JSON.parse(read.text)
        for (const [name, expected] of Object.entries(given)) assert.deepEqual(row[name], expected === 0 ? 0 : expected)
      }),
      { numRuns: 200 },
    )
  })

  it('are listed newest first, each once, whatever the page size', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const rows = house.rows('feedback')
    const made: string[] = []
    for (let at = 0; at < 23; at++) made.push((await rows.create({ rating: 1 + (at % 5) })).value.id)
    const expected = made.toReversed()
    for (const limit of [1, 7, 22, 23, 24]) {
      assert.deepEqual(
        (await walk(rows, limit)).map(({ id }) => id),
        expected,
        `by ${limit}`,
      )
    }
  })

  it('come in pages of at most 1 MiB, each with one row at least', async (t) => {
    const large = { ...feedback, fields: { comment: { type: 'string', maxLength: 2_000_000 } } } as const
    const house = openHouse(t, await makeTempDir(t), [large])
    const rows = house.rows('feedback')
    const made: string[] = []
    // Characters of one, two and three bytes; the last row alone is larger than a page may be.
    for (const [unit, length] of [
      ['x', 400_000],
      ['é', 300_000],
      ['€', 300_000],
      ['y', 400_000],
      ['€', 700_000],
    ] as const)
      for (let times = 0; times < 2; times++) made.push((await rows.create({ comment: unit.repeat(length) })).value.id)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const value: string = (await rows.list(100, idIn(rows, cursor))).value.text
      const page: { items: { id: string }[]; next: string | null } = JSON.parse(value)
      assert.ok(page.items.length > 0)
      assert.ok(page.items.length === 1 || Buffer.byteLength(value) <= 1_048_576 + 200, `${Buffer.byteLength(value)}`)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.next
    } while (cursor !== null)
    assert.deepEqual(seen, made.toReversed())
  })

  it('are listed once also when others are created and removed between the pages', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const rows = house.rows('feedback')
    const made: string[] = []
    for (let at = 0; at < 6; at++) made.push((await rows.create({ rating: 1 })).value.id)
    const first = JSON.parse((await rows.list(3, null)).value.text)
    await rows.create({ rating: 2 })
    await rows.remove(first.items[2].id, null)
    const second = JSON.parse((await rows.list(3, idIn(rows, first.next))).value.text)
    assert.deepEqual(
      second.items.map(({ id }: { id: string }) => id),
      made.slice(0, 3).toReversed(),
    )
    assert.equal(second.next, null)
  })

  it('change in the fields that the body names, and count their versions', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const rows = house.rows('feedback')
    const { value: made } = await rows.create({ rating: 1, comment: 'a', meta: { a: 1, b: 2 } })
    const { value } = await rows.change(made.id, { comment: null, meta: { a: 3 } }, null)
    assert.ok(value.is === 'row' && value.etag !== made.etag)
    const { updatedAt, createdAt, ...row } = JSON.parse(value.text)
    assert.deepEqual(row, { id: made.id, rating: 1, comment: null, meta: { a: 3 }, version: 2 })
    assert.ok(updatedAt >= createdAt)
    assert.deepEqual((await rows.get(made.id)).value, value)
    assert.deepEqual((await rows.change(made.id, {}, null)).value, value, 'an empty body changes nothing')
  })

  it('change only when they are the ones that If-Match names', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const rows = house.rows('feedback')
    const { value: made } = await rows.create({ rating: 1 })
    const first = made.etag?.slice(1, -1) ?? ''
    const { value: changed } = await rows.change(made.id, { rating: 2 }, [first])
    assert.ok(changed.is === 'row')
    assert.deepEqual((await rows.change(made.id, { rating: 3 }, [first])).value, { is: 'mismatch' })
    assert.deepEqual((await rows.change(made.id, {}, [first])).value, { is: 'mismatch' })
    assert.deepEqual((await rows.change(made.id, { rating: 3 }, [])).value, { is: 'mismatch' })
    assert.deepEqual((await rows.remove(made.id, [first])).value, { is: 'mismatch' })
    const second = changed.etag?.slice(1, -1) ?? ''
    assert.equal((await rows.change(made.id, { rating: 3 }, [first, second])).value.is, 'row')
    assert.equal((await rows.change(made.id, { rating: 4 }, '*')).value.is, 'row')
    assert.equal((await rows.remove(made.id, '*')).value.is, 'removed')
    for (const match of [null, '*', [first], [first, second]] as const) {
      assert.deepEqual((await rows.change(made.id, { rating: 5 }, match)).value, { is: 'missing' })
      assert.deepEqual((await rows.remove(made.id, match)).value, { is: 'missing' })
    }
  })

  it('of concurrent changes under one ETag, one wins', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const rows = house.rows('feedback')
    const { value: made } = await rows.create({ rating: 1 })
    const match = [made.etag?.slice(1, -1) ?? '']
    const results = await Promise.all([2, 3, 4, 5].map((rating) => rows.change(made.id, { rating }, match)))
    assert.deepEqual(results.map(({ value }) => value.is).sort(), ['mismatch', 'mismatch', 'mismatch', 'row'])
  })

  it('are not taken for removed because the store of a further try does not have them', async (t) => {
    const primary = openHouse(t, await makeTempDir(t), [feedback])
    const fallback = openHouse(t, await makeTempDir(t), [feedback])
    const { value: made } = await primary.rows('feedback').create({ rating: 1 })
    const { tables } = fallback
    tables.set(await primary.store(), {
      applied: [],
      missing: [],
      problems: [],
      unusable: new Map(),
      rewriting: new Set(),
      otherOrder: new Map(),
      nullable: new Map(),
      blockedKeys: new Map(),
    })
    const failing = { write: () => Promise.reject(new Error('read-only')), read: () => Promise.resolve([]) }
    const movingOn: RunWork = async (work, options) => {
      const lost = (session: Session) => work(Object.create(session, { statements: { value: failing } }))
      await assert.rejects(primary.work.run(lost, { ...options, rerun: 'never' }), /read-only/)
      return fallback.work.run(work, options)
    }
    const rows = new RowsOf(feedback, { run: movingOn, tables, now: () => 0 })
    assert.deepEqual((await rows.remove(made.id, null)).value, { is: 'missing' })
    assert.equal((await primary.rows('feedback').get(made.id)).value.is, 'row')
  })

  it('that collide with a unique key are refused, and null collides with nothing', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [everything])
    const rows = house.rows('everything')
    await rows.create({ word: 'a' })
    const { value } = await rows.create({ word: 'b' })
    await assert.rejects(rows.create({ word: 'a' }), code('CONFLICT'))
    await assert.rejects(rows.change(value.id, { word: 'a' }, null), code('CONFLICT'))
    await Promise.all([rows.create({}), rows.create({})])
  })

  it('are at most maxRows, also when they come together and some of them fail', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [{ ...everything, maxRows: 10 }])
    const rows = house.rows('everything')
    const bodies = Array.from({ length: 40 }, (_, at) => ({ word: `w${at % 8}`, small: at }))
    const unique = await Promise.allSettled(bodies.map((body) => rows.create(body)))
    assert.equal(unique.filter(({ status }) => status === 'fulfilled').length, 8)
    const more = await Promise.allSettled(Array.from({ length: 20 }, () => rows.create({})))
    assert.equal(more.filter(({ status }) => status === 'fulfilled').length, 2)
    assert.equal((await walk(rows, 100)).length, 10)
    await assert.rejects(rows.create({}), code('COLLECTION_FULL'))
    const [newest] = await walk(rows, 1)
    await rows.remove(newest?.id ?? '', null)
    await rows.create({})
  })

  it('are still readable when somebody else wrote something odd into their columns', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [everything])
    const rows = house.rows('everything')
    const { value } = await rows.create({ meta: {} })
    const { statements } = await house.store()
    const sql = "update everything set meta = 'no json', at = 'never', large = 'many', flag = 7, word = 5 where id = ?"
    await statements.write(sql, [value.id])
    const { value: read } = await rows.get(value.id)
    assert.ok(read.is === 'row')
    const { meta, at, large, flag, word } = JSON.parse(read.text)
    assert.deepEqual(
      { meta, at, large, flag, word },
      { meta: 'no json', at: 'never', large: null, flag: true, word: '5' },
    )
  })

  it('have their JSON in one form, whoever wrote its text', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [everything])
    const rows = house.rows('everything')
    const { value } = await rows.create({ meta: { a: 1 } })
    const { statements } = await house.store()
    const shown = async (text: string) => {
      await statements.write('update everything set meta = ? where id = ?', [text, value.id])
      const { value: page } = await rows.list(1, null)
      return /"meta":(.*?),"createdAt"/s.exec(page.text)?.[1]
    }
    assert.equal(await shown('{"a": 1.0, "b": [1, 2], "10": "x, y: z"}'), '{"10":"x, y: z","a":1,"b":[1,2]}')
    assert.equal(await shown('{"a": 123456789012345678901, "a": 1e400, "__proto__": {}}'), '{"a":null,"__proto__":{}}')
  })
})
