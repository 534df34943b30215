import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineEntity, p } from '@mikro-orm/core'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { journalFullCode, restingCode } from '../../../src/driver/facet/journal.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { ScriptedClaims } from '../../support/scripted-claims.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { type Rig, rigOf } from '../rig.ts'

const Mark = defineEntity({ name: 'Mark', properties: { id: p.string().primary(), text: p.string() } })

interface Setup {
  readonly rig: Rig
  readonly claims: ScriptedClaims
  readonly journal: ScriptedJournal
}

function setUp(): Setup {
  const rig = rigOf({
    entities: [Mark],
    steps: {
      ...emptySteps,
      prepare: async ({ statements }) => {
        await statements.write('create table mark (id text primary key, text text)', [])
      },
    },
  })
  const claims = new ScriptedClaims()
  const journal = new ScriptedJournal()
  rig.primary.engine = claims.engine
  rig.fallback.engine = { journal: () => journal }
  return { rig, claims, journal }
}

describe('a transaction of an application', () => {
  test('with rerun "always" claims first, and a known claim gives the value of the first try', async (t) => {
    const { rig, claims } = setUp()
    const connection = (await rig.supervisor.serving()).store.orm.em.getConnection()
    const commit = connection.commit.bind(connection)
    t.mock.method(connection, 'commit', async (...given: Parameters<typeof commit>) => {
      await commit(...given)
      t.mock.restoreAll()
      throw new FaultError(faultLike('lost', { ambiguous: true }))
    })
    let tries = 0
    const { value, store } = await rig.work.transactional(
      async ({ em, attempt }) => {
        assert.deepEqual([...claims.claims], [attempt])
        em.create(Mark, { id: `try ${++tries}`, text: 'x' })
        return `value ${tries}`
      },
      { rerun: 'always' },
    )
    assert.deepEqual([value, store, tries], ['value 1', 'primary', 1])
    await rig.supervisor.close(1_000)
  })

  test('without it claims nothing, and an unknown COMMIT is final', async (t) => {
    const { rig, claims } = setUp()
    const connection = (await rig.supervisor.serving()).store.orm.em.getConnection()
    t.mock.method(connection, 'commit', () => Promise.reject(new FaultError(faultLike('lost', { ambiguous: true }))))
    let tries = 0
    const work = async (): Promise<number> => ++tries
    for (const options of [{}, { rerun: 'before-commit' }] as const) {
      await assert.rejects(rig.work.transactional(work, options), { code: 'COMMIT_UNKNOWN' })
    }
    assert.deepEqual([tries, claims.claims.size], [2, 0])
    t.mock.restoreAll()
    await rig.supervisor.close(1_000)
  })
})

describe('a fallback that refuses a change', () => {
  test('because the primary is about to serve has the change run again, else STORE_LOST, and is not checked', async () => {
    const { rig } = setUp()
    rig.primary.script = ['auth']
    let tries = 0
    const restingOnce = async (): Promise<string> => {
      if (++tries === 1) throw new FaultError(faultLike('lost', { code: restingCode }))
      return 'done'
    }
    const again = await rig.work.run(restingOnce, { kind: 'write', rerun: 'always' })
    assert.deepEqual([again.value, again.store], ['done', 'fallback'])
    tries = 0
    await assert.rejects(rig.work.transactional(restingOnce), (error: { code: string; retryAfterS: number }) => {
      assert.deepEqual([error.code, error.retryAfterS], ['STORE_LOST', 0])
      return true
    })
    assert.deepEqual(
      rig.seen.filter(({ type }) => type === 'store.checked'),
      [],
    )
    await rig.supervisor.close(1_000)
  })

  test('because its journal is full is 507 JOURNAL_FULL', async () => {
    const { rig } = setUp()
    rig.primary.script = ['auth']
    const full = (): Promise<never> => Promise.reject(new FaultError(faultLike('transient', { code: journalFullCode })))
    await assert.rejects(rig.work.run(full, { kind: 'write', rerun: 'always' }), { code: 'JOURNAL_FULL', status: 507 })
    await rig.supervisor.close(1_000)
  })
})
