import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { MikroORM, type SqlEntityManager, SqliteDriver } from '@mikro-orm/sqlite'
import { entityOf, type RowEntity } from '../../../src/collection/table/entity.ts'
import { ensureTables } from '../../../src/collection/table/tables.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { HandlerSession } from '../../../src/database/work/work-session.ts'
import { type Rig, rigOf } from '../../database/rig.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { feedback } from '../support.ts'

const Feedback = entityOf(feedback)

/** A fallback that serves, with the attempts that its journal was told. */
async function setUp(t: TestContext): Promise<{ rig: Rig; begun: string[]; session: HandlerSession }> {
  const rig = rigOf({
    entities: [Feedback],
    steps: {
      ...emptySteps,
      prepare: async (store) => {
        await ensureTables(store, [feedback], 'additive', AbortSignal.timeout(5_000))
      },
    },
  })
  t.after(() => rig.supervisor.close(1_000))
  const journal = new ScriptedJournal()
  rig.fallback.engine = { journal: () => journal }
  rig.primary.script = ['auth']
  const serving = await rig.supervisor.serving()
  journal.attempts.length = 0
  return { rig, begun: journal.attempts, session: new HandlerSession(serving) }
}

function create(em: SqlEntityManager, rating: number): RowEntity {
  return em.create(Feedback, { rating })
}

async function attemptsOf({ em }: { readonly em: SqlEntityManager }): Promise<readonly (string | null)[]> {
  const found = await em.fork().find(Feedback, {}, { orderBy: { id: 'asc' } })
  return found.map((row) => row.holdfast_attempt)
}

describe('one transaction has one attempt', () => {
  it('in three rows of one flush, and another one in the next flush of the same handler', async (t) => {
    const { begun, session } = await setUp(t)
    const rows = [1, 2, 3].map((rating) => create(session.em, rating))
    const first = session.attempt
    await session.em.flush()
    assert.deepEqual(await attemptsOf(session), [first, first, first])
    const [row] = rows
    if (row !== undefined) row.rating = 4
    create(session.em, 5)
    const second = session.attempt
    assert.notEqual(second, first)
    await session.em.flush()
    assert.deepEqual(await attemptsOf(session), [second, first, first, second])
    assert.deepEqual(begun, [first, second])
    assert.equal(row?.holdfast_attempt, second, 'the entity says what its row says')
  })

  it('in each flush of a transaction, whatever created the entities, and in its savepoints', async (t) => {
    const { begun, session } = await setUp(t)
    create(session.em, 1)
    await session.em.transactional(async (em) => {
      create(em, 2)
      await em.flush()
      await em.transactional(async (nested) => {
        create(nested, 3)
      })
      create(em, 4)
    })
    const [attempt] = begun
    assert.deepEqual(begun, [attempt])
    assert.deepEqual(await attemptsOf(session), [attempt, attempt, attempt, attempt])
    await session.em.transactional(async (em) => {
      create(em, 5)
    })
    assert.equal(begun.length, 2)
    assert.notEqual(begun[1], attempt)
    assert.equal((await attemptsOf(session))[4], begun[1])
  })

  it('where it is begun and committed by hand', async (t) => {
    const { begun, session } = await setUp(t)
    for (const rating of [1, 2]) {
      await session.em.begin()
      const attempt = session.attempt
      create(session.em, rating)
      await session.em.flush()
      create(session.em, rating)
      await session.em.commit()
      assert.equal(begun.at(-1), attempt)
    }
    const [one, two] = begun
    assert.notEqual(one, two)
    assert.deepEqual(await attemptsOf(session), [one, one, two, two])
  })

  it('also when the one before it failed, and in a transaction inside another that is its own', async (t) => {
    const { begun, session } = await setUp(t)
    await assert.rejects(
      session.em.transactional(async (em) => {
        create(em, 1)
        await em.flush()
        throw new Error('no')
      }),
      /no/,
    )
    create(session.em, 2)
    await session.em.flush()
    assert.equal(begun.length, 2)
    assert.deepEqual(await attemptsOf(session), [begun[1]])
  })

  it('that of the session in the transaction of an application', async (t) => {
    const { rig, begun } = await setUp(t)
    const { value } = await rig.work.transactional(async ({ em, attempt }) => {
      create(em, 1)
      await em.flush()
      create(em, 2)
      return { attempt, em }
    })
    assert.deepEqual(await attemptsOf(value), [value.attempt, value.attempt])
    assert.equal(begun.at(-1), value.attempt)
  })

  it('and an upsert in it has it, too', async (t) => {
    const { begun, session } = await setUp(t)
    const id = '01a1fa59-5117-779e-a923-656b1f8dd41a'
    const row = { id, rating: 1, createdAt: new Date(), updatedAt: new Date(), version: 1 }
    await session.em.transactional(async (em) => {
      await em.upsert(Feedback, row)
    })
    assert.deepEqual(await attemptsOf(session), [begun[0]])
  })
})

it("an application's own ORM may use the entity of a collection", async (t) => {
  const orm = new MikroORM({ driver: SqliteDriver, dbName: ':memory:', entities: [Feedback] })
  t.after(() => orm.close())
  await orm.schema.create()
  const em = orm.em.fork()
  for (const rating of [1, 2]) em.create(Feedback, { rating })
  await em.flush()
  const attempts = await attemptsOf({ em })
  assert.ok(attempts.every((attempt) => attempt !== null))
})
