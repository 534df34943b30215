import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { Rows } from '../../../src/collection/row/rows.ts'
import { ensureTables } from '../../../src/collection/table/tables.ts'
import type { Demand } from '../../../src/database/store/store.ts'
import type { RunWork, Session } from '../../../src/database/work/session.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { feedback, type House, openHouse } from '../support.ts'

type Statements = Session['statements']

/** Rows whose statements are other ones. */
function rowsWith({ work, tables }: House, change: (statements: Statements) => Partial<Statements>): Rows {
  const run: RunWork = (unit, options, find) =>
    work.run(
      (session) => {
        const statements = { ...bound(session), ...change(bound(session)) }
        return unit(Object.create(session, { statements: { value: statements } }))
      },
      options,
      find,
    )
  return new Rows(feedback, { run, tables, now: () => 0 })
}

function bound({ statements }: Session): Statements {
  return { read: (sql, values) => statements.read(sql, values), write: (sql, values) => statements.write(sql, values) }
}

/** A house whose table has a trigger, as Holdfast finds it when it opens the file. */
async function withTrigger(t: Cleanup, trigger: string): Promise<House> {
  const house = openHouse(t, await makeTempDir(t), [feedback])
  const store = await house.store()
  await store.statements.write(`create trigger theirs ${trigger}`, [])
  house.tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
  return house
}

const textOf = (result: { readonly is: string; readonly text?: string }): string => result.text ?? result.is

describe('what a write answers', () => {
  it('is what a read gives, where a trigger changes what was written', async (t) => {
    const house = await withTrigger(
      t,
      "after insert on feedback begin update feedback set comment = 'theirs' where id = new.id; end",
    )
    const rows = house.rows('feedback')
    const { value: made } = await rows.create({ rating: 1, comment: 'ours' })
    assert.equal(JSON.parse(made.text).comment, 'theirs')
    assert.deepEqual((await rows.get(made.id)).value, made)
  })

  it('is the row that this very change wrote, also when others change it at once and nothing is returned', async (t) => {
    const house = await withTrigger(t, 'after delete on feedback begin select 1; end')
    const rows = house.rows('feedback')
    const { value: made } = await rows.create({ rating: 1 })
    const ratings = [2, 3, 4, 5]
    const results = await Promise.all(ratings.map((rating) => rows.change(made.id, { rating }, null)))
    assert.deepEqual(
      results.map(({ value }) => JSON.parse(textOf(value)).rating),
      ratings,
    )
  })

  it('is no failure where the database counts nothing, as long as the row is there', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const rows = rowsWith(house, ({ write }) => ({
      write: async (sql, values) => {
        await write(sql, values)
        return { rows: [], changed: 0 }
      },
    }))
    const { value: made } = await rows.create({ rating: 1 })
    const { value: changed } = await rows.change(made.id, { rating: 2 }, null)
    assert.equal(JSON.parse(textOf(changed)).rating, 2)
  })

  it('is a failure where the table discards the row', async (t) => {
    const house = await withTrigger(t, 'before insert on feedback begin select raise(ignore); end')
    await assert.rejects(house.rows('feedback').create({ rating: 1 }), { code: 'WRITE_DISCARDED' })
  })

  it('has the time of the change', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const { value: made } = await house.rows('feedback').create({ rating: 1 })
    const { createdAt } = JSON.parse(made.text)
    t.mock.timers.enable({ apis: ['Date'], now: Date.parse(createdAt) + 1_234 })
    const { value } = await house.rows('feedback').change(made.id, { rating: 2 }, null)
    const changed = JSON.parse(textOf(value))
    assert.deepEqual([changed.createdAt, Date.parse(changed.updatedAt)], [createdAt, Date.parse(createdAt) + 1_234])
  })
})

describe('a change under several ETags', () => {
  it('is refused when the row changed after it was found to have one of them', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const { value: made } = await house.rows('feedback').create({ rating: 1 })
    const tags = [made.etag?.slice(1, -1) ?? '', '01a1fa59-5117-779e-a923-656b1f8dd41a']
    const overtaken = (): Rows => {
      let isFirst = true
      return rowsWith(house, ({ read, write }) => ({
        read: async (sql, values) => {
          const found = await read(sql, values)
          if (isFirst) await write("update feedback set holdfast_attempt = 'other' where id = ?", [made.id])
          isFirst = false
          return found
        },
      }))
    }
    assert.deepEqual((await overtaken().change(made.id, { rating: 2 }, tags)).value, { is: 'mismatch' })
    const { statements } = await house.store()
    await statements.write('update feedback set holdfast_attempt = ? where id = ?', [tags[0] ?? '', made.id])
    assert.deepEqual((await overtaken().remove(made.id, tags)).value, { is: 'mismatch' })
    assert.equal((await house.rows('feedback').get(made.id)).value.is, 'row')
  })
})

describe('the least durability of a write', () => {
  const cases: readonly (readonly [Collection['durability'], Demand | undefined, Demand | undefined])[] = [
    [undefined, undefined, undefined],
    ['primary', undefined, 'primary'],
    ['primary', 'journal', 'primary'],
    ['journal', 'primary', 'primary'],
    ['journal', undefined, 'journal'],
    [undefined, 'journal', 'journal'],
    ['local', 'journal', 'journal'],
    ['local', undefined, 'local'],
  ]
  for (const [declared, asked, demand] of cases) {
    it(`is ${demand} where the collection says ${declared} and the client ${asked}`, async (t) => {
      const { tables } = openHouse(t, await makeTempDir(t), [feedback])
      const seen: unknown[] = []
      const run: RunWork = (_unit, options) => {
        seen.push(options.demand)
        return Promise.reject(new Error('enough'))
      }
      const collection: Collection = declared === undefined ? feedback : { ...feedback, durability: declared }
      const rows = new Rows(collection, { run, tables, now: () => 0 })
      const id = '01a1fa59-5117-779e-a923-656b1f8dd41a'
      await assert.rejects(rows.create({ rating: 1 }, { demand: asked }), /enough/)
      await assert.rejects(rows.change(id, { rating: 1 }, null, { demand: asked }), /enough/)
      await assert.rejects(rows.remove(id, null, { demand: asked }), /enough/)
      assert.deepEqual(seen, [demand, demand, demand])
    })
  }
})
