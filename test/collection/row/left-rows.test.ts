import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mostCounted, RowsLeft } from '../../../src/collection/row/left-rows.ts'
import { makeTempDir } from '../../support/temp.ts'
import { everything, feedback, openHouse } from '../support.ts'

describe('rows that are left in a fallback', () => {
  it('are counted per collection, and each further one is added', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback, everything])
    for (const rating of [1, 2, 3]) await house.rows('feedback').create({ rating })
    const left = new RowsLeft()
    assert.equal(left.known, null)
    left.changed('feedback', 1)
    assert.equal(left.known, null, 'nothing was counted yet')
    const rows = { total: 3, isMore: false, collections: { feedback: 3 } }
    assert.deepEqual(await left.count(await house.store(), [feedback, everything]), rows)
    left.changed('feedback', 1)
    left.changed('everything', -1) // A row that another process wrote after the count.
    left.changed('everything', 1)
    left.changed('everything', 1)
    left.changed('everything', -1)
    assert.deepEqual(left.known, { total: 5, isMore: false, collections: { feedback: 4, everything: 1 } })
    left.forget()
    assert.equal(left.known, null)
  })

  it('are counted up to a limit, and said to be more', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback])
    const store = await house.store()
    await house.rows('feedback').create({ rating: 1 })
    // As many as are counted, and one beyond.
    await store.statements.write(
      `insert into feedback (id, rating, "createdAt", "updatedAt", version)
       with recursive n(i) as (select 1 union all select i + 1 from n where i < ${mostCounted})
       select 'row-' || i, 1, 0, 0, 1 from n`,
      [],
    )
    const left = new RowsLeft()
    const rows = { total: mostCounted, isMore: true, collections: { feedback: mostCounted } }
    assert.deepEqual(await left.count(store, [feedback]), rows)
    left.changed('feedback', -1)
    assert.deepEqual(left.known, rows, 'past the limit only a new count knows')
  })

  it('of a table that is not there are none', async (t) => {
    const house = openHouse(t, await makeTempDir(t), [feedback], { apply: 'none' })
    const found = await new RowsLeft().count(await house.store(), [feedback])
    assert.deepEqual(found, { total: 0, isMore: false, collections: {} })
  })
})
