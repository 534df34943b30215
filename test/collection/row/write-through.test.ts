import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { lastWrites } from '../../../src/collection/row/last-writes.ts'
import { Rows } from '../../../src/collection/row/rows.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import type { RunWork, Session } from '../../../src/database/work/session.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { AcknowledgedWrites } from '../../../src/journal/past/acknowledged-writes.ts'
import { rigOf } from '../../database/rig.ts'
import { ScriptedClaims } from '../../support/scripted-claims.ts'
import { RecordingSink } from '../../support/scripted-copy.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { feedback } from '../support.ts'

interface Setup {
  readonly store: Store
  readonly sink: RecordingSink
  readonly rows: Rows
  readonly tables: TableReports
  readonly acknowledged: AcknowledgedWrites
  /** The same with another report on the table. */
  rowsWith(tables: TableReports): Rows
  /** What was sent to the primary since the last call. */
  sent(): readonly string[]
  /** Rows whose next write is done, and not answered. */
  unanswered(): Rows
}

interface SetupOptions {
  /** The primary returns the version of what was written. */
  readonly versions?: boolean
  readonly declared?: boolean
  /** There is a copy. */
  readonly isCopied?: boolean
  readonly claims?: ScriptedClaims
}

async function setUp(t: TestContext, options: SetupOptions = {}): Promise<Setup> {
  const { versions = true, declared = true, isCopied = true, claims } = options
  const acknowledged = new AcknowledgedWrites()
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
  const rig = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(feedback)], declared })
  t.after(() => rig.supervisor.close(1_000))
  const connect = () => Promise.reject(new Error('Nothing is fed here.'))
  const returned = (table: string): string => `'v' || ${table}.version`
  rig.primary.engine = { ...claims?.engine, feed: () => (versions ? { returned, connect } : { connect }) }
  // Only what may go on there is claimed.
  if (claims !== undefined) rig.fallback.engine = { journal: () => new ScriptedJournal() }
  const { store } = await rig.supervisor.serving()
  const sink = new RecordingSink()
  const sent: string[] = []
  const rowsOver = (
    change: (statements: Session['statements']) => Partial<Session['statements']>,
    known = tables,
  ): Rows => {
    const run: RunWork = (unit, options, find) => {
      const over = (session: Session): Session => {
        const { statements } = session
        const bound = { read: statements.read.bind(statements), write: statements.write.bind(statements) }
        const { store, shown, claims, attempt } = session
        return { store, shown, claims, attempt, statements: { ...bound, ...change(bound) }, em: session.em }
      }
      return rig.work.run((session) => unit(over(session)), options, find)
    }
    return new Rows(feedback, { run, tables: known, now: () => 0, acknowledged, ...(isCopied ? { copy: sink } : {}) })
  }
  const rowsWith = (known: TableReports): Rows =>
    rowsOver(
      ({ write }) => ({
        write: (sql, values, note) => {
          sent.push(sql)
          return write(sql, values, note)
        },
      }),
      known,
    )
  const unanswered = (): Rows =>
    rowsOver(({ write }) => ({
      write: async (sql, values) => {
        await write(sql, values)
        throw new FaultError(faultLike('lost', { ambiguous: true, code: 'QUERY_TIMEOUT' }))
      },
    }))
  return { store, sink, tables, acknowledged, rows: rowsWith(tables), rowsWith, sent: () => sent.splice(0), unanswered }
}

/** The row in the primary, as its image. */
async function stored({ store }: Setup, id: string): Promise<Record<string, string | null>> {
  const [row = {}] = await store.statements.read('select * from feedback where id = ?', [id])
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]))
}

describe('what the data API writes into a primary', () => {
  it('is remembered with its attempt and version, also where nothing is copied, and only what was acknowledged', async (t) => {
    const { store, rowsWith, tables, acknowledged } = await setUp(t, { isCopied: false })
    const rows = rowsWith(tables)
    const { value: made } = await rows.create({ rating: 1 })
    const { value: changed } = await rows.create({ rating: 2 })
    await rows.change(changed.id, { rating: 3 }, null)
    await rows.change(changed.id, {}, null)
    await assert.rejects(rows.create({ rating: 9 }))
    const { value: removed } = await rows.create({ rating: 4 })
    await rows.remove(removed.id, null)
    const known = acknowledged.newestFirst(store.target.id)
    assert.deepEqual(
      known.map(({ table, id, version }) => [table, id, version]),
      [
        ['feedback', removed.id, null],
        ['feedback', changed.id, 2],
        ['feedback', made.id, 1],
      ],
    )
    const found = await lastWrites(rows.access, store, [made.id, changed.id, removed.id])
    assert.deepEqual(
      known.slice(1).map(({ id, attempt }) => [id, attempt]),
      [changed.id, made.id].map((id) => [id, found.get(id)?.attempt]),
    )
    assert.deepEqual([found.size, found.get(changed.id)?.version], [2, 2])
  })

  it('is not remembered where a fallback has taken it', async (t) => {
    const { store, rowsWith, tables, acknowledged } = await setUp(t, { declared: false })
    await rowsWith(tables).create({ rating: 1 })
    assert.deepEqual(acknowledged.newestFirst(store.target.id), [])
  })
})

describe('what the data API writes into a primary whose rows are copied', () => {
  for (const versions of [true, false]) {
    it(`goes to the copy as it is stored, ${versions ? 'with the version that came back' : 'without a version'}`, async (t) => {
      const setup = await setUp(t, { versions })
      const { rows, sink } = setup
      const { value: made } = await rows.create({ rating: 1, comment: 'one', meta: { b: 1, a: [2.5] } })
      const version = (number: number) => (versions ? `v${number}` : null)
      assert.deepEqual(sink.take(), [{ id: made.id, image: await stored(setup, made.id), version: version(1) }])
      await rows.change(made.id, { rating: 2, comment: null }, null)
      await rows.change(made.id, { rating: 3 }, [(await stored(setup, made.id)).holdfast_attempt ?? ''])
      const [first, second] = sink.take()
      assert.deepEqual([first?.image?.rating, first?.image?.comment, first?.version], ['2', null, version(2)])
      assert.deepEqual(second, { id: made.id, image: await stored(setup, made.id), version: version(3) })
      await rows.remove(made.id, null)
      assert.deepEqual(sink.take(), [{ id: made.id, image: null, version: null }])
    })
  }

  it('stays here where nothing was written', async (t) => {
    const { rows, sink } = await setUp(t)
    const { value: made } = await rows.create({ rating: 1 })
    sink.take()
    const never = '01a1fa59-5117-779e-a923-656b1f8dd41a'
    await rows.change(made.id, {}, null)
    await rows.change(made.id, { rating: 2 }, [never])
    await rows.change(never, { rating: 2 }, null)
    await rows.remove(made.id, [never])
    await rows.remove(never, null)
    await assert.rejects(rows.create({ rating: 9 }))
    await rows.get(made.id)
    await rows.list(10, null)
    assert.deepEqual(sink.take(), [])
  })

  it('is written by the same statements where it is not copied', async (t) => {
    const { rows, sink, sent } = await setUp(t)
    sink.copied = false
    const { value: made } = await rows.create({ rating: 1 })
    await rows.change(made.id, { rating: 2 }, null)
    await rows.remove(made.id, null)
    assert.deepEqual(sent(), [
      'insert into "feedback" ("id", "rating", "comment", "meta", "createdAt", "updatedAt", "version", "holdfast_attempt") values (?, ?, ?, ?, ?, ?, ?, ?)',
      'update "feedback" set "rating" = ?, "updatedAt" = ?, "holdfast_attempt" = ?, "version" = "feedback"."version" + 1 where "feedback"."id" = ? returning "feedback"."id", "feedback"."rating", "feedback"."comment", "feedback"."meta", "feedback"."createdAt", "feedback"."updatedAt", "feedback"."version", "feedback"."holdfast_attempt"',
      'delete from "feedback" where "feedback"."id" = ?',
    ])
    assert.deepEqual(sink.take(), [])
  })

  it('goes nowhere from a store that is no primary', async (t) => {
    const { rows, sink } = await setUp(t, { declared: false })
    const { value: made } = await rows.create({ rating: 1 })
    await rows.change(made.id, { rating: 2 }, null)
    await rows.remove(made.id, null)
    assert.deepEqual(sink.take(), [])
  })

  it('is what was found after an unknown COMMIT', async (t) => {
    const setup = await setUp(t)
    const { rows, sink, unanswered } = setup
    const { value: made } = await unanswered().create({ rating: 1 })
    assert.deepEqual(sink.take(), [{ id: made.id, image: await stored(setup, made.id), version: 'v1' }])
    await unanswered().change(made.id, { rating: 2 }, null)
    assert.deepEqual(sink.take(), [{ id: made.id, image: await stored(setup, made.id), version: 'v2' }])
    await unanswered().remove(made.id, null)
    assert.deepEqual(sink.take(), [{ id: made.id, image: null, version: null }])
    assert.equal((await rows.get(made.id)).value.is, 'missing')
  })

  it('is what a try that was claimed before had written', async (t) => {
    const claims = new ScriptedClaims()
    const { rows, sink } = await setUp(t, { claims })
    claims.fates = ['unanswered']
    const { value: made } = await rows.create({ rating: 1 })
    claims.fates = ['unanswered']
    await rows.change(made.id, { rating: 2 }, null)
    claims.fates = ['unanswered']
    await rows.remove(made.id, null)
    assert.deepEqual([claims.fates, claims.notes.length], [[], 6])
    assert.deepEqual(
      sink.take().map(({ id, image }) => [id, image?.rating]),
      [
        [made.id, '1'],
        [made.id, '2'],
        [made.id, undefined],
      ],
    )
  })
})

describe('a table whose triggers rewrite rows', () => {
  const withTrigger = async (setup: Setup, trigger: string): Promise<Rows> => {
    await setup.store.statements.write(`create trigger theirs ${trigger}`, [])
    const tables = new TableReports()
    const { store } = setup
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
    return setup.rowsWith(tables)
  }

  it('has the row in the copy that was read back, with its version', async (t) => {
    const setup = await setUp(t)
    const body = "update feedback set comment = 'theirs', version = version + 10 where id = new.id;"
    const rows = await withTrigger(setup, `after insert on feedback begin ${body} end`)
    const { value: made } = await rows.create({ rating: 1 })
    const [got, ...more] = setup.sink.take()
    assert.deepEqual(got, { id: made.id, image: await stored(setup, made.id), version: 'v11' })
    assert.deepEqual([got.image?.comment, more], ['theirs', []])
    // What a trigger does afterwards has another version.
    assert.doesNotMatch(setup.sent().join(), /returning/)
    await rows.change(made.id, { rating: 2 }, null)
    assert.deepEqual(setup.sink.take(), [{ id: made.id, image: await stored(setup, made.id), version: 'v12' }])
  })

  it('has nothing in the copy of a change whose COMMIT fails', async (t) => {
    const setup = await setUp(t)
    const { store, sink } = setup
    await store.statements.write('create table parent (id integer primary key)', [])
    const child = 'parent integer references parent (id) deferrable initially deferred'
    await store.statements.write(`create table child (${child})`, [])
    await store.statements.write('pragma foreign_keys = on', [])
    const rows = await withTrigger(setup, 'after update on feedback begin insert into child values (1); end')
    const { value: made } = await rows.create({ rating: 1 })
    sink.take()
    await assert.rejects(rows.change(made.id, { rating: 2 }, null), /FOREIGN KEY/)
    assert.equal((await stored(setup, made.id)).rating, '1')
    assert.deepEqual(sink.take(), [])
  })
})
