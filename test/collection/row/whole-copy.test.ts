import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { AnswerAge } from '../../../src/collection/row/copied-rows.ts'
import { Rows } from '../../../src/collection/row/rows.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import { overlapMs } from '../../../src/copy/whole-copy.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import type { RunWork, Session } from '../../../src/database/work/session.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { type Rig, rigOf } from '../../database/rig.ts'
import { ScriptedCopy, wholeState } from '../../support/scripted-copy.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { feedback } from '../support.ts'

const collection = { ...feedback, indexes: [{ fields: ['comment'], unique: true }], maxRows: 3 }
const fields = Object.keys(collection.fields)

/** When the last poll began, and when the look at the oldest part did. */
const polledMs = Date.parse('2026-11-28T12:00:00Z')
const asOfMs = polledMs - 20_000

/** An id that was drawn at that time. */
function idAt(ms: number, last = '1'): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-00000000000${last}`
}

interface Setup {
  readonly rig: Rig
  readonly store: Store
  readonly journal: ScriptedJournal
  readonly copy: ScriptedCopy
  readonly rows: Rows
  /** Puts a row of the primary into the fallback. */
  /** Rows that first do this with the values of a write. */
  before(act: (values: readonly unknown[]) => Promise<void>): Rows
  put(
    id: string,
    values?: { readonly rating?: number; readonly comment?: string; readonly attempt?: string },
  ): Promise<void>
}

/** A fallback that serves, with a copy that is whole. */
async function setUp(t: TestContext): Promise<Setup> {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [collection], 'additive', AbortSignal.timeout(5_000)))
  const rig = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(collection)] })
  t.after(() => rig.supervisor.close(1_000))
  const [journal, copy] = [new ScriptedJournal(), new ScriptedCopy()]
  journal.identity = 'identity'
  copy.states = new Map([['feedback', wholeState(asOfMs, idAt(polledMs), fields)]])
  rig.fallback.engine = { journal: () => journal, copy: () => copy }
  rig.primary.script = ['auth']
  const { store, shown } = await rig.supervisor.serving()
  assert.equal(shown, 'fallback')
  const rowsOver = (run: RunWork): Rows =>
    new Rows(collection, { run, tables, now: () => 0, keptBytes: 10_000, copyTarget: () => 'primary-db' })
  const before: Setup['before'] = (act) =>
    rowsOver((unit, options, find) => {
      const over = (session: Session): Session => {
        const { statements } = session
        const write: Session['statements']['write'] = async (sql, values, note) => {
          await act(values)
          return await statements.write(sql, values, note)
        }
        const read = statements.read.bind(statements)
        return Object.create(session, { statements: { value: { read, write } } })
      }
      return rig.work.run((session) => unit(over(session)), options, find)
    })
  const put: Setup['put'] = async (id, { rating = 1, comment = null, attempt = id } = {}) => {
    const at = new Date(asOfMs).getTime()
    const sql = 'insert into feedback (id, rating, comment, createdAt, updatedAt, version, holdfast_attempt) values'
    await store.statements.write(`${sql} (?, ?, ?, ?, ?, 1, ?)`, [id, rating, comment, at, at, attempt])
  }
  return { rig, store, journal, copy, rows: rowsOver(rig.work.run), before, put }
}

const [old, young] = [idAt(polledMs - overlapMs - 1), idAt(polledMs - overlapMs + 1)]
const unsure = { is: 'unknown' }
const listed = async (rows: Rows): Promise<{ items: { id: string }[]; partial?: true }> =>
  JSON.parse((await rows.list(10, null)).value.text)

describe('a fallback with a whole copy of a collection', () => {
  it('answers lists whole, and with 404 for what would have been copied', async (t) => {
    const { rows, put } = await setUp(t)
    const there = idAt(polledMs - 3_600_000)
    await put(there)
    const { items, partial } = await listed(rows)
    assert.deepEqual([items.map(({ id }) => id), partial], [[there], undefined])
    assert.equal((await rows.get(there)).value.is, 'row')
    for (const [id, result] of [
      [old, { is: 'missing' }],
      [young, unsure],
      ['c0ffee00-0000-4000-8000-000000000000', unsure],
    ] as const) {
      assert.deepEqual((await rows.get(id)).value, result)
      assert.deepEqual((await rows.change(id, { rating: 2 }, null)).value, result)
      assert.deepEqual((await rows.change(id, {}, null)).value, result)
      assert.deepEqual((await rows.remove(id, null)).value, result)
    }
  })

  it('changes and deletes copied rows, exact in what If-Match says', async (t) => {
    const { rows, put } = await setUp(t)
    const [base, other] = [idAt(polledMs, '2'), idAt(polledMs, '3')]
    await put(old, { attempt: base })
    assert.deepEqual((await rows.change(old, { rating: 2 }, [other])).value, unsure, 'the primary may have it')
    const { value: changed } = await rows.change(old, { rating: 2 }, [base])
    assert.ok(changed.is === 'row')
    assert.equal(JSON.parse(changed.text).rating, 2)
    assert.deepEqual((await rows.remove(old, null)).value, { is: 'removed' })
    assert.deepEqual((await rows.get(old)).value, { is: 'missing' })
  })

  it('refuses a key that a copied row has', async (t) => {
    const { rows, put, copy } = await setUp(t)
    await put(old, { comment: 'taken' })
    await assert.rejects(rows.create({ rating: 1, comment: 'taken' }), { code: 'CONFLICT' })
    assert.deepEqual(copy.asked, [], 'nothing makes way')
  })

  it('counts copied rows, and enforces the row limit with them, after each poll anew', async (t) => {
    const { rows, put, copy } = await setUp(t)
    await put(old)
    await rows.create({ rating: 1 })
    const { value: made } = await rows.create({ rating: 1 })
    await assert.rejects(rows.create({ rating: 1 }), { code: 'COLLECTION_FULL' })
    await rows.remove(made.id, null)
    await rows.create({ rating: 1 })
    await rows.remove(old, null)
    for (const last of ['4', '5']) await put(idAt(asOfMs, last))
    copy.states = new Map([['feedback', wholeState(asOfMs, idAt(polledMs + 1_000), fields)]])
    await assert.rejects(rows.create({ rating: 1 }), { code: 'COLLECTION_FULL' })
  })

  it('is not one for another identity, another target, or while something is to be verified', async (t) => {
    const { rows, put, copy, journal } = await setUp(t)
    await put(old)
    const whole = wholeState(asOfMs, idAt(polledMs), fields)
    copy.own = "id < ''"
    for (const spoil of [
      () => (copy.from = null),
      () => (copy.from = { identity: 'other', target: 'primary-db' }),
      () => (copy.from = { identity: 'identity', target: 'elsewhere' }),
      () => (copy.states = new Map()),
      () => (copy.states = new Map([['feedback', { ...whole, isSwept: false }]])),
      () => (copy.states = new Map([['feedback', { ...whole, columns: fields.slice(1) }]])),
      () => (copy.states = new Map([['feedback', { ...whole, isVerified: false }]])),
      () => (copy.states = new Map([['feedback', { ...whole, asOfMs: null }]])),
      () => (copy.states = new Map([['feedback', { ...whole, polled: null }]])),
      () => (journal.identity = null),
    ]) {
      assert.equal((await listed(rows)).partial, undefined)
      assert.equal((await rows.get(old)).value.is, 'row')
      spoil()
      assert.deepEqual(await listed(rows), { items: [], next: null, partial: true })
      assert.deepEqual((await rows.get(old)).value, unsure)
      copy.from = { identity: 'identity', target: 'primary-db' }
      copy.states = new Map([['feedback', whole]])
      journal.identity = 'identity'
    }
  })

  it('finds the row of a create that the primary had committed, and that was copied since', async (t) => {
    const { put, copy, before } = await setUp(t)
    let id = ''
    const rows = before(async ([first]) => {
      id = String(first)
      await put(id, { rating: 5 })
    })
    const { value } = await rows.create({ rating: 5 })
    assert.equal(value.id, id)
    const changed = before(async ([first]) => await put(String(first), { attempt: old }))
    await assert.rejects(changed.create({ rating: 5 }), { code: 'COMMIT_UNKNOWN' })
    assert.deepEqual(copy.asked, [], 'nothing makes way')
  })

  it('writes it where the copied row is hidden: its caller could not read it', async (t) => {
    const { put, copy, before, store } = await setUp(t)
    copy.states = new Map()
    copy.own = "id < ''"
    copy.onGiveWay = async () => (await store.statements.write('delete from feedback', [])).changed > 0
    let id = ''
    const rows = before(async ([first]) => {
      if (id === '') await put(String(first), { rating: 4 })
      id = String(first)
    })
    const { value } = await rows.create({ rating: 5 })
    assert.equal(value.id, id)
    assert.deepEqual(
      copy.asked.map((image) => image.id),
      [id],
    )
    assert.deepEqual(await store.statements.read('select id, rating from feedback', []), [{ id, rating: 5 }])
    const changed = before(async ([first]) => await put(String(first), { attempt: old }))
    await assert.rejects(changed.create({ rating: 5 }), { code: 'COMMIT_UNKNOWN' })
  })
})

describe('a fallback whose copy is not whole', () => {
  it('shows, changes and deletes what was written in it alone', async (t) => {
    const { rows, put, copy } = await setUp(t)
    copy.states = new Map()
    copy.own = 'rating < 3'
    const hidden = idAt(polledMs - 3_600_000)
    await put(hidden, { rating: 5 })
    const { value: made } = await rows.create({ rating: 1 })
    const { items, partial } = await listed(rows)
    assert.deepEqual([items.map(({ id }) => id), partial], [[made.id], true])
    const more = JSON.parse((await rows.list(1, null)).value.text)
    assert.equal(more.next, null)
    for (const match of [null, '*', [hidden]] as const) {
      assert.deepEqual((await rows.change(hidden, { rating: 2 }, match)).value, unsure)
      assert.deepEqual((await rows.change(hidden, {}, match)).value, unsure)
      assert.deepEqual((await rows.remove(hidden, match)).value, unsure)
    }
    assert.deepEqual((await rows.get(hidden)).value, unsure)
    assert.equal((await rows.change(made.id, { rating: 2 }, null)).value.is, 'row')
    assert.deepEqual((await rows.remove(made.id, null)).value, { is: 'removed' })
  })

  it('keeps what it has read apart from what a whole copy shows', async (t) => {
    const { rows, put, copy, store } = await setUp(t)
    const { statements } = store
    Object.assign(statements, { generation: () => 1 })
    await put(old)
    const whole = copy.states
    copy.own = "id < ''"
    for (let round = 0; round < 2; round += 1) {
      copy.states = whole
      assert.equal((await rows.get(old)).value.is, 'row')
      assert.equal((await listed(rows)).items.length, 1)
      copy.states = new Map()
      assert.deepEqual((await rows.get(old)).value, unsure)
      assert.deepEqual((await listed(rows)).items, [])
    }
  })

  it('lets copied rows make way for what has their unique key, once', async (t) => {
    const { rows, put, copy, store, before } = await setUp(t)
    copy.states = new Map()
    copy.own = 'rating < 3'
    await put(old, { rating: 5, comment: 'taken' })
    await assert.rejects(rows.create({ rating: 1, comment: 'taken' }), { code: 'CONFLICT' })
    copy.onGiveWay = async () => {
      await store.statements.write("delete from feedback where comment = 'taken'", [])
      return true
    }
    const { value: made } = await rows.create({ rating: 1, comment: 'taken' })
    await put(young, { rating: 5, comment: 'also' })
    copy.onGiveWay = async () => {
      await store.statements.write("delete from feedback where comment = 'also'", [])
      return true
    }
    assert.equal((await rows.change(made.id, { comment: 'also' }, null)).value.is, 'row')
    assert.deepEqual(
      copy.asked.map(({ id, rating, comment }) => [id === made.id, rating, comment]),
      [
        [false, '1', 'taken'],
        [true, '1', 'taken'],
        [true, '1', 'also'],
      ],
    )
    await put(old, { comment: 'own' })
    copy.onGiveWay = async () => true
    await assert.rejects(rows.change(made.id, { comment: 'own' }, null), { code: 'CONFLICT' })
    assert.equal(copy.asked.length, 4)
    const failing = before(() => Promise.reject(new FaultError(faultLike('disk-full'))))
    await assert.rejects(failing.change(made.id, { rating: 1 }, null), { code: 'DISK_FULL' })
    assert.equal(copy.asked.length, 4, 'no key was broken')
  })

  it('does not count rows', async (t) => {
    const { rows, copy } = await setUp(t)
    copy.states = new Map()
    for (let at = 0; at < 5; at += 1) await rows.create({ rating: 1 })
  })
})

describe('the age of what a fallback answers', () => {
  it('is that of its copy, whatever comes of the request', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: polledMs + 1_000 })
    const { rows, put, copy } = await setUp(t)
    await put(old, { comment: 'taken' })
    const age = (): AnswerAge => ({ maxAgeS: 60, asOfMs: null })
    const asked: readonly ((age: AnswerAge) => Promise<unknown>)[] = [
      (age) => rows.list(10, null, { age }),
      (age) => rows.get(old, { age }),
      (age) => rows.get(idAt(0), { age }),
      (age) => rows.get(young, { age }),
      (age) => rows.create({ rating: 1 }, { age }),
      (age) => rows.create({ rating: 1, comment: 'taken' }, { age }),
      (age) => rows.change(old, { rating: 2 }, null, { age }),
      (age) => rows.change(old, {}, null, { age }),
      (age) => rows.change(old, { rating: 2 }, [young], { age }),
      (age) => rows.remove(idAt(0), null, { age }),
      (age) => rows.remove(old, null, { age }),
    ]
    for (const ask of asked) {
      const one = age()
      await ask(one).catch(() => {})
      assert.equal(one.asOfMs, asOfMs, String(ask))
    }
    copy.states = new Map()
    for (const ask of asked) {
      const one = { maxAgeS: null, asOfMs: 1 }
      await ask(one).catch(() => {})
      assert.equal(one.asOfMs, null, String(ask))
    }
  })

  it('is not above what the client accepts', async (t) => {
    const { rows, put, copy, journal } = await setUp(t)
    await put(old)
    t.mock.timers.enable({ apis: ['Date'], now: asOfMs + 30_000 })
    const begun = journal.attempts.length
    const tooOld = {
      code: 'INCOMPLETE',
      detail: 'The copy in the fallback is 30 s old, and "Prefer: max-age=29" asks for no more.',
    }
    const of = (maxAgeS: number): AnswerAge => ({ maxAgeS, asOfMs: null })
    const age = of(29)
    await assert.rejects(rows.list(10, null, { age }), tooOld)
    await assert.rejects(rows.get(old, { age }), tooOld)
    await assert.rejects(rows.create({ rating: 1 }, { age }), tooOld)
    await assert.rejects(rows.change(old, { rating: 2 }, null, { age }), tooOld)
    await assert.rejects(rows.change(old, {}, null, { age }), tooOld)
    await assert.rejects(rows.remove(old, null, { age }), tooOld)
    assert.equal(journal.attempts.length, begun)
    assert.equal((await rows.get(old, { age: of(30) })).value.is, 'row')
    copy.states = new Map()
    await assert.rejects(rows.list(10, null, { age: of(999_999) }), { code: 'INCOMPLETE' })
  })

  it('is no matter on the primary', async (t) => {
    const { rows, rig } = await setUp(t)
    rig.primary.script = ['works']
    await rig.supervisor.reconfigure(rig.supervisor.settings)
    await rig.supervisor.serving()
    const age: AnswerAge = { maxAgeS: 0, asOfMs: 1 }
    const { store } = await rows.list(10, null, { age })
    assert.deepEqual([store, age.asOfMs], ['primary', null])
  })
})
