import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Rows } from '../../../src/collection/row/rows.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import type { ConnectionSettings } from '../../../src/database/machine/connection-settings.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { type Rig, rigOf } from '../../database/rig.ts'
import { ScriptedClaims } from '../../support/scripted-claims.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { feedback } from '../support.ts'

const unknown = { code: 'COMMIT_UNKNOWN' }

interface Setup {
  readonly rig: Rig
  readonly claims: ScriptedClaims
  readonly journal: ScriptedJournal
  readonly rows: Rows
  /** The rows in the primary. */
  stored(): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** The primary is lost at the next fault. */
  losePrimary(): Promise<void>
}

async function setUp(t: TestContext, settings: Partial<ConnectionSettings> = {}, journals = true): Promise<Setup> {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000)))
  const rig = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(feedback)], settings })
  t.after(() => rig.supervisor.close(1_000))
  const claims = new ScriptedClaims()
  const journal = new ScriptedJournal()
  rig.primary.engine = claims.engine
  if (journals) rig.fallback.engine = { journal: () => journal }
  const { store } = await rig.supervisor.serving()
  return {
    rig,
    claims,
    journal,
    rows: new Rows({ ...feedback, maxRows: 10 }, { run: rig.work.run, tables, now: () => 0 }),
    stored: () => store.statements.read('select * from feedback', []),
    losePrimary: async () => {
      rig.primary.script = ['unreachable']
      assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'lost')
    },
  }
}

describe('a write whose COMMIT is not answered, with its attempt claimed', () => {
  it('is run again, and changes nothing twice', async (t) => {
    const { claims, rows, stored } = await setUp(t)
    claims.fates = ['unanswered']
    const { value: made } = await rows.create({ rating: 1 })
    assert.deepEqual((await rows.get(made.id)).value, made)
    claims.fates = ['unanswered']
    const { value: changed } = await rows.change(made.id, { rating: 2 }, null)
    assert.ok(changed.is === 'row')
    assert.deepEqual(
      (await stored()).map(({ rating, version }) => [rating, version]),
      [[2, 2]],
    )
    claims.fates = ['unanswered']
    assert.deepEqual((await rows.remove(made.id, '*')).value, { is: 'removed' })
    assert.deepEqual(await stored(), [])
  })

  it('is done by the second try where the first did not arrive, which then never does', async (t) => {
    const { claims, rows, stored } = await setUp(t)
    claims.fates = ['vanished']
    const { value: made } = await rows.create({ rating: 1 })
    assert.equal((await stored()).length, 1)
    let first = claims.arrive
    claims.fates = ['vanished']
    claims.onLost = async () => {
      first = claims.arrive
    }
    await rows.change(made.id, { rating: 2 }, null)
    await rows.change(made.id, { rating: 3 }, null)
    await assert.rejects(first())
    assert.deepEqual(
      (await stored()).map(({ rating }) => rating),
      [3],
    )
  })

  it('is not laid over a change that another client made since', async (t) => {
    const { claims, rows, stored, rig } = await setUp(t)
    const { value: made } = await rows.create({ rating: 1 })
    const { store } = await rig.supervisor.serving()
    for (const match of [null, [made.etag?.slice(1, -1) ?? '', '01a1fa59-5117-779e-a923-656b1f8dd41a']]) {
      await store.statements.write('update feedback set holdfast_attempt = ?', [made.etag?.slice(1, -1) ?? ''])
      claims.fates = ['unanswered']
      claims.onLost = async () => {
        await store.statements.write("update feedback set rating = 5, holdfast_attempt = 'theirs'", [])
      }
      await assert.rejects(rows.change(made.id, { rating: 2 }, match), unknown)
      assert.deepEqual(
        (await stored()).map(({ rating }) => rating),
        [5],
      )
    }
  })

  it('is unknown where the created row was removed since, and a delete of one that came back', async (t) => {
    const { claims, rows, rig } = await setUp(t)
    const { store } = await rig.supervisor.serving()
    claims.fates = ['unanswered']
    claims.onLost = async () => {
      await store.statements.write('delete from feedback', [])
    }
    await assert.rejects(rows.create({ rating: 1 }), unknown)
    claims.onLost = async () => {}
    const { value: made } = await rows.create({ rating: 1 })
    claims.fates = ['unanswered']
    claims.onLost = async () => {
      const sql = "insert into feedback (id, rating, createdAt, updatedAt, version) values (?, 1, '', '', 1)"
      await store.statements.write(sql, [made.id])
    }
    await assert.rejects(rows.remove(made.id, null), unknown)
  })

  it('counts for maxRows once', async (t) => {
    const { claims, rows } = await setUp(t)
    for (let at = 0; at < 10; at++) {
      claims.fates = ['unanswered']
      await rows.create({ rating: 1 })
    }
    await assert.rejects(rows.create({ rating: 1 }), { code: 'COLLECTION_FULL' })
  })
})

describe('a write whose COMMIT is not answered, when the primary is lost', () => {
  it('goes on in the fallback when it creates a row, with the same id and attempt', async (t) => {
    const { claims, rows, losePrimary } = await setUp(t)
    claims.fates = ['unanswered']
    claims.onLost = losePrimary
    const { value: made, store, durability } = await rows.create({ rating: 1 })
    assert.deepEqual([store, durability], ['fallback', 'journal'])
    assert.deepEqual([...claims.claims], [made.id])
    assert.equal(made.etag, `"${made.id}"`)
    assert.deepEqual((await rows.get(made.id)).value, made)
  })

  it('does not when the fallback has no journal, or when it changes or deletes', async (t) => {
    const id = '01a1fa59-5117-779e-a923-656b1f8dd41a'
    for (const [journals, write] of [
      [false, (rows: Rows) => rows.create({ rating: 1 })],
      [true, (rows: Rows) => rows.change(id, { rating: 2 }, null)],
      [true, (rows: Rows) => rows.remove(id, null)],
    ] as const) {
      const { claims, rows, losePrimary, rig } = await setUp(t, {}, journals)
      claims.onLost = losePrimary
      claims.fates = ['vanished']
      await assert.rejects(write(rows), unknown)
      assert.equal(rig.supervisor.current?.shown, 'fallback')
      assert.deepEqual(JSON.parse((await rows.list(10, null)).value.text).items, [])
    }
  })
})

describe('a write that carries no claim', () => {
  for (const [why, settings] of [
    ['with the fallback off', { fallbackEnabled: false }],
    ['with a read-only fallback', { fallbackMode: 'read-only' }],
  ] as const) {
    it(`is not run again after an unknown COMMIT, ${why}`, async (t) => {
      const { claims, rows, stored } = await setUp(t, settings)
      const { value: made } = await rows.create({ rating: 1 })
      assert.deepEqual(claims.notes, [{ attempt: made.id }])
      claims.fates = ['vanished']
      await assert.rejects(rows.change(made.id, { rating: 2 }, null), unknown)
      assert.deepEqual(
        (await stored()).map(({ rating }) => rating),
        [1],
      )
      assert.equal(claims.claims.size, 0)
    })
  }
})

describe('an attempt that timed out at COMMIT on a primary that answers', () => {
  it('is settled by a claim: it never commits', async (t) => {
    const { claims, rows, stored } = await setUp(t)
    claims.code = 'QUERY_TIMEOUT'
    claims.fates = ['vanished']
    await assert.rejects(rows.create({ rating: 1 }), { code: 'QUERY_TIMEOUT', detail: 'Nothing was written.' })
    await assert.rejects(claims.arrive())
    assert.deepEqual(await stored(), [])
  })

  it('is acknowledged where the claim exists and the row is found', async (t) => {
    const { claims, rows } = await setUp(t)
    claims.code = 'QUERY_TIMEOUT'
    claims.fates = ['unanswered']
    const { value: made } = await rows.create({ rating: 1 })
    assert.equal(claims.notes.length, 1)
    assert.deepEqual((await rows.get(made.id)).value, made)
  })
})

describe('claims', () => {
  it('are deleted in batches when each try was answered, and at the close', async (t) => {
    const { claims, rows, rig } = await setUp(t)
    const made = [await rows.create({ rating: 1 }), await rows.create({ rating: 2 })]
    assert.deepEqual(claims.forgotten, [])
    await rig.clock.advance(1_000)
    assert.deepEqual(claims.forgotten, [made.map(({ value }) => value.id)])
    const last = await rows.create({ rating: 3 })
    await rig.work.forgetClaims(1_000)
    assert.deepEqual(claims.forgotten[1], [last.value.id])
  })

  it('stay where a try was not answered', async (t) => {
    const { claims, rows, rig } = await setUp(t)
    claims.fates = ['vanished']
    await rows.create({ rating: 1 })
    claims.code = 'QUERY_TIMEOUT'
    claims.fates = ['vanished']
    await assert.rejects(rows.create({ rating: 1 }))
    await rig.work.forgetClaims(1_000)
    assert.deepEqual(claims.forgotten, [])
    assert.equal(claims.claims.size, 2)
  })
})
