import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Rows } from '../../../src/collection/row/rows.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import type { Journal } from '../../../src/driver/facet/journal.ts'
import { type Rig, rigOf } from '../../database/rig.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { feedback } from '../support.ts'

const [elsewhere, replaced, never] = [1, 2, 3].map((at) => `01a1fa59-5117-779e-a923-656b1f8dd41${at}`)

interface Setup {
  readonly rig: Rig
  readonly journal: ScriptedJournal
  readonly rows: Rows
}

async function setUp(t: TestContext, serves: 'primary' | 'fallback'): Promise<Setup> {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
  const rig = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(feedback)] })
  t.after(() => rig.supervisor.close(1_000))
  const journal = new ScriptedJournal()
  rig.fallback.engine = { journal: () => journal }
  if (serves === 'fallback') rig.primary.script = ['auth']
  const { shown } = await rig.supervisor.serving()
  assert.equal(shown, serves)
  const unreplayed = (): Journal | null => (journal.entries > 0 ? journal : null)
  const rows = new Rows({ ...feedback, maxRows: 2 }, { run: rig.work.run, tables, now: () => 0, unreplayed })
  return { rig, journal, rows }
}

const missing = { is: 'missing' }
const mismatch = { is: 'mismatch' }
const unsure = { is: 'unknown' }

describe('on the fallback of a primary', () => {
  it('a row that is not there is missing only where this journal deleted it', async (t) => {
    const { rows, journal } = await setUp(t, 'fallback')
    const id = elsewhere ?? ''
    const begun = journal.attempts.length
    for (const [isDeleted, result] of [
      [false, unsure],
      [true, missing],
    ] as const) {
      journal.histories.set(id, { isDeleted })
      assert.deepEqual((await rows.get(id)).value, result)
      for (const match of [null, '*', [never ?? '']] as const) {
        assert.deepEqual((await rows.change(id, { rating: 2 }, match)).value, result)
        assert.deepEqual((await rows.change(id, {}, match)).value, result)
        assert.deepEqual((await rows.remove(id, match)).value, result)
      }
    }
    assert.equal(journal.attempts.length, begun, 'no transaction has begun')
  })

  it('If-Match is exact: what it names is current, or was replaced here, or nobody here knows', async (t) => {
    const { rows, journal } = await setUp(t, 'fallback')
    const { value: made } = await rows.create({ rating: 1 })
    journal.histories.set(made.id, { replaced: new Set([replaced ?? '']) })
    const current = made.etag?.slice(1, -1) ?? ''
    for (const [match, result] of [
      [[replaced ?? ''], mismatch],
      [[], mismatch],
      [[never ?? ''], unsure],
      [[replaced ?? '', never ?? ''], unsure],
    ] as const) {
      assert.deepEqual((await rows.change(made.id, { rating: 2 }, match)).value, result)
      assert.deepEqual((await rows.change(made.id, {}, match)).value, result)
      assert.deepEqual((await rows.remove(made.id, match)).value, result)
    }
    assert.equal((await rows.change(made.id, { rating: 2 }, [never ?? '', current])).value.is, 'row')
    assert.deepEqual((await rows.remove(made.id, '*')).value, { is: 'removed' })
  })

  it('maxRows is not enforced, and lists are partial', async (t) => {
    const { rows } = await setUp(t, 'fallback')
    for (let at = 0; at < 4; at++) await rows.create({ rating: 1 })
    const { items, partial } = JSON.parse((await rows.list(10, null)).value.text)
    assert.deepEqual([items.length, partial], [4, true])
  })
})

describe('on the primary, while changes of an outage wait to be carried', () => {
  it('a row with such a change is refused, and lists are partial', async (t) => {
    const { rows, journal } = await setUp(t, 'primary')
    const { value: made } = await rows.create({ rating: 1 })
    const { value: other } = await rows.create({ rating: 1 })
    journal.histories.set(made.id, { isWaiting: true })
    assert.equal(JSON.parse((await rows.list(10, null)).value.text).partial, undefined)
    assert.equal((await rows.get(made.id)).value.is, 'row', 'nothing waits')
    journal.entries = 1
    assert.equal(JSON.parse((await rows.list(10, null)).value.text).partial, undefined, 'what waits is of other tables')
    journal.waitingTables.add('feedback')
    assert.equal(JSON.parse((await rows.list(10, null)).value.text).partial, true)
    const replaying = { code: 'REPLAYING', retryAfterS: 1 }
    await assert.rejects(rows.get(made.id), replaying)
    await assert.rejects(rows.change(made.id, { rating: 2 }, null), replaying)
    await assert.rejects(rows.change(made.id, {}, null), replaying)
    await assert.rejects(rows.remove(made.id, null), replaying)
    assert.equal((await rows.remove(other.id, null)).value.is, 'removed')
    journal.entries = 0
    assert.equal((await rows.change(made.id, { rating: 2 }, null)).value.is, 'row')
  })
})
