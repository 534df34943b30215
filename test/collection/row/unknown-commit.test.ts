import assert from 'node:assert/strict'
import { describe, it, type TestContext, test } from 'node:test'
import { Rows } from '../../../src/collection/row/rows.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import type { RunWork, Session } from '../../../src/database/work/session.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { rigOf } from '../../database/rig.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { feedback } from '../support.ts'

/** What becomes of a write whose COMMIT is not answered. */
interface Fate {
  readonly isCommitted: boolean
  /** What another writer runs on the same row before it is searched. */
  readonly next?: string
}

const committed: Fate = { isCommitted: true }
const lost: Fate = { isCommitted: false }
const unknown = { code: 'COMMIT_UNKNOWN' }

/** Rows in a primary that stays reachable; it is no file of this process, which would know what it committed. */
function openRows(t: TestContext): { readonly rows: Rows; unanswered(fate: Fate, id?: string): Rows } {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
  const { work, supervisor } = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(feedback)] })
  t.after(() => supervisor.close(1_000))
  const unanswered = ({ isCommitted, next }: Fate, id = ''): Rows => {
    const statementsOf = ({ statements }: Session): Session['statements'] => ({
      read: (sql, values) => statements.read(sql, values),
      write: async (sql, values) => {
        if (isCommitted) await statements.write(sql, values)
        if (next !== undefined) await statements.write(next, [id])
        throw new FaultError(faultLike('lost', { ambiguous: true, code: 'QUERY_TIMEOUT' }))
      },
    })
    const run: RunWork = (unit, options, findCommitted) =>
      work.run(
        (session) => unit(Object.create(session, { statements: { value: statementsOf(session) } })),
        options,
        findCommitted,
      )
    return new Rows(feedback, { run, tables, now: () => 0 })
  }
  return { rows: new Rows(feedback, { run: work.run, tables, now: () => 0 }), unanswered }
}

describe('a write whose COMMIT is not answered', () => {
  it('is acknowledged when the row is found as it was written', async (t) => {
    const { rows, unanswered } = openRows(t)
    const { value: made } = await unanswered(committed).create({ rating: 1 })
    assert.deepEqual((await rows.get(made.id)).value, made)
    const { value: changed } = await unanswered(committed).change(made.id, { rating: 2 }, null)
    assert.ok(changed.is === 'row' && JSON.parse(changed.text).rating === 2)
    assert.deepEqual((await rows.get(made.id)).value, changed)
    assert.deepEqual((await unanswered(committed).remove(made.id, null)).value, { is: 'removed' })
  })

  it('stays unknown when nothing of it is found, whoever wrote the row that is there', async (t) => {
    const { rows, unanswered } = openRows(t)
    await assert.rejects(unanswered(lost).create({ rating: 1 }), unknown)
    const { value: made } = await rows.create({ rating: 1 })
    await assert.rejects(unanswered(lost).change(made.id, { rating: 2 }, null), unknown)
    await assert.rejects(unanswered(lost).remove(made.id, null), unknown)
    assert.deepEqual((await rows.get(made.id)).value, made)
  })

  it('stays unknown when another writer changed or removed the row before it was searched', async (t) => {
    const { rows, unanswered } = openRows(t)
    const { value: made } = await rows.create({ rating: 1 })
    for (const next of [
      "update feedback set holdfast_attempt = 'other' where id = ?",
      'delete from feedback where id = ?',
    ]) {
      const change = unanswered({ isCommitted: true, next }, made.id).change(made.id, { rating: 2 }, null)
      await assert.rejects(change, unknown)
    }
  })
})

test('a write that the primary has confirmed is not written to the fallback when reading it back fails', async (t) => {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> => {
    const report = await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000))
    tables.set(store, { ...report, rewriting: new Set([feedback.name]) })
  }
  const { work, supervisor, primary } = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(feedback)] })
  t.after(() => supervisor.close(1_000))
  const isPrimary = ({ shown }: Session): boolean => shown === 'primary'
  const lostWhileReading = (session: Session): Session['statements'] => ({
    write: (sql, values) => session.statements.write(sql, values),
    read: async (sql, values) => {
      if (!isPrimary(session)) return session.statements.read(sql, values)
      primary.script = ['unreachable', 'unreachable', 'unreachable']
      assert.equal(await supervisor.report(session.store, faultLike('lost')), 'lost')
      throw new FaultError(faultLike('lost'))
    },
  })
  const run: RunWork = (unit, options, find) =>
    work.run(
      (session) => unit(Object.create(session, { statements: { value: lostWhileReading(session) } })),
      options,
      find,
    )
  const rows = new Rows(feedback, { run, tables, now: () => 0 })
  await assert.rejects(rows.create({ rating: 1 }), unknown)
  const { value, store } = await rows.list(10, null)
  assert.equal(store, 'fallback')
  assert.deepEqual(JSON.parse(value.text).items, [])
})
