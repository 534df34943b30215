import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Rows } from '../../../src/collection/row/rows.ts'
import { ensureTables } from '../../../src/collection/table/tables.ts'
import { failedStore } from '../../../src/database/work/failure.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { makeTempDir } from '../../support/temp.ts'
import { feedback, openHouse } from '../support.ts'

const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => assert.fail('it succeeded'),
    (error: unknown) => error,
  )

it('a statement that fails on its table has the table checked, once a second at most, and is answered with what is found', async (t) => {
  const { work, tables, store: open } = openHouse(t, await makeTempDir(t), [feedback])
  const store = await open()
  let [nowMs, checks] = [0, 0]
  const recheck = async (): Promise<void> => {
    checks += 1
    const known = tables.known(store, [feedback])
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000), known))
  }
  const rows = new Rows(feedback, { run: work.run, tables, now: () => nowMs, recheck })

  const invalid = await thrownBy(rows.create({ rating: 9 }))
  assert.equal(await rows.explained(invalid, 'create'), invalid)
  assert.equal(checks, 0, 'the row was wrong, whatever the table is')

  await store.statements.write("create trigger t before insert on feedback begin select raise(abort, 'no'); end", [])
  for (const [atMs, expected] of [
    [0, 1],
    [999, 1],
    [1_000, 2],
  ] as const) {
    nowMs = atMs
    const refused = await thrownBy(rows.create({ rating: 1 }))
    assert.equal(await rows.explained(refused, 'create'), refused, 'the table is as it was declared')
    assert.equal(checks, expected)
  }

  await store.statements.write('drop table feedback', [])
  nowMs = 2_000
  const failed = await Promise.all([1, 2, 3].map(() => thrownBy(rows.list(1, null))))
  for (const explained of await Promise.all(failed.map((error) => rows.explained(error, 'list')))) {
    assert.ok(explained instanceof HoldfastError && explained.code === 'COLLECTION_UNAVAILABLE')
    assert.equal(failedStore(explained)?.store, store)
  }
  assert.equal(checks, 3, 'requests that failed at the same time share one check')
})
