import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { parseDeleteAddress } from '../../../src/collection/query/write-request.ts'
import type { Rows } from '../../../src/collection/row/rows.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import { removeMatching } from '../../../src/collection/write/matching.ts'
import { changeOf, jobOf } from '../../../src/collection/write/writes.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import type { RunWork, Session } from '../../../src/database/work/session.ts'
import type { ReadNote } from '../../../src/driver/facet/statements.ts'
import { type ServedCollection, serveCollections } from '../../../src/http/data/served-collection.ts'
import { rigOf } from '../../database/rig.ts'
import { feedback } from '../support.ts'

interface Setup {
  readonly served: ServedCollection
  readonly rows: Rows
  /** Of each read of a unit of work. */
  readonly notes: (ReadNote | undefined)[]
  /** Called once, before the next read of a unit of work. */
  before: (session: Session) => Promise<unknown>
}

function setUp(t: TestContext): Setup {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
  const { work, supervisor } = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(feedback)] })
  t.after(() => supervisor.close(1_000))
  const nothing = async (): Promise<void> => {}
  const run: RunWork = (unit, options, find) =>
    work.run(
      (session) => {
        const { store, shown, claims, attempt, em } = session
        return unit({ store, shown, claims, attempt, em, statements: watched(session) })
      },
      options,
      find,
    )
  const watched = (session: Session): Session['statements'] => ({
    ...session.statements,
    read: async (sql, values, note) => {
      setup.notes.push(note)
      const { before } = setup
      setup.before = nothing
      await before(session)
      // The scripted server is made of SQLite, which locks no rows.
      return await session.statements.read(sql.replace(/ for update$/, ''), values, note)
    },
  })
  const served = serveCollections([feedback], { run, tables, now: () => 0 }).get('feedback')
  assert.ok(served !== undefined)
  const setup: Setup = { served, rows: served.rows, notes: [], before: nothing }
  return setup
}

const id = '01a1fa59-5117-779e-a923-656b1f8dd41a'
const theirs = '01a1fa59-5117-779e-a923-656b1f8dd41b'
const other = '01a1fa59-5117-779e-a923-656b1f8dd41c'

/** Another writer makes the row, as a member of a cluster that was behind gets it. */
function arriving({ store }: Session): Promise<unknown> {
  const sql =
    "insert into feedback (id, rating, createdAt, updatedAt, version, holdfast_attempt) values (?, 1, '', '', 1, ?)"
  return store.statements.write(sql, [id, theirs])
}

describe('a write that met no row', () => {
  for (const [title, write] of [
    ['a change', (rows: Rows, match: string | null) => rows.change(id, { rating: 2 }, match === null ? null : [match])],
    ['a delete', (rows: Rows, match: string | null) => rows.remove(id, match === null ? null : [match])],
  ] as const) {
    it(`is to be run again where the row is there by now: ${title}`, async (t) => {
      for (const match of [null, theirs]) {
        const setup = setUp(t)
        setup.before = arriving
        assert.deepEqual((await write(setup.rows, match)).value, { is: 'unmet' })
        assert.deepEqual(setup.notes, [{ fresh: true }], 'what explains it sees what any member has answered')
      }
    })

    it(`is answered by what is there, where that is not what it wants: ${title}`, async (t) => {
      const setup = setUp(t)
      assert.deepEqual((await write(setup.rows, null)).value, { is: 'missing' })
      setup.before = arriving
      assert.deepEqual((await write(setup.rows, other)).value, { is: 'mismatch' })
    })
  }
})

describe('a read', () => {
  it('is fresh where it decides about a version, and not where it asks for none', async (t) => {
    const { rows, notes } = setUp(t)
    const { value: made } = await rows.create({ rating: 1 })
    const version = made.etag?.slice(1, -1) ?? ''
    assert.equal(notes.length, 0)
    await rows.get(made.id)
    await rows.list(10, null)
    assert.deepEqual(notes.splice(0), [undefined, undefined])
    const at = async (match: string) => (await rows.get(made.id, {}, { match: [match], hasVersion: true })).value
    assert.deepEqual(await at(version), made)
    assert.deepEqual(await at(other), { is: 'mismatch' })
    await rows.get(made.id, {}, { match: null, hasVersion: true })
    await rows.change(made.id, {}, [version])
    await rows.change(made.id, { rating: 2 }, [version, other])
    assert.deepEqual([...new Set(notes.map((note) => note?.fresh))], [true])
  })

  it('is fresh where a transaction or a delete by conditions rests on it', async (t) => {
    const { rows, notes, served } = setUp(t)
    const { written, runner } = served
    const { value: made } = await rows.create({ rating: 1 })
    const change = { body: { rating: 2 }, mode: 'set', match: null } as const
    await runner.perform(jobOf([changeOf(written, made.id, change, undefined)]), {})
    const request = parseDeleteAddress({ collection: feedback, asked: new Set(['rating']) }, '?rating=2&max=10')
    const { value: gone } = await runner.perform(removeMatching(written, request, undefined, undefined), {})
    assert.equal(gone.length, 1)
    assert.ok(notes.length >= 3)
    assert.deepEqual([...new Set(notes.map((note) => note?.fresh))], [true])
  })
})
