import assert from 'node:assert/strict'
import { it } from 'node:test'
import {
  claimRequest,
  keepAnswer,
  keptAnswer,
  pruneAnswers,
  RequestKnown,
} from '../../../src/collection/write/kept-answers.ts'
import { runKeyed } from '../../../src/collection/write/keyed.ts'
import { keyedId, requestKeyOf } from '../../../src/collection/write/request-key.ts'
import { makeTempDir } from '../../support/temp.ts'
import { feedback, openHouse } from '../support.ts'

const keyOf = (key: string, asked: unknown = null) =>
  requestKeyOf({ caller: { is: 'admin' }, method: 'POST', path: '/api/feedback', key, asked })

it('a request is known by its claim, with its answer, for a day', async (t) => {
  const house = openHouse(t, await makeTempDir(t), [feedback])
  const [old, young] = [keyOf('old'), keyOf('young')]
  await house.work.run(
    async (session) => {
      const answer = { status: 201, headers: { Location: '/there' }, text: '{"a":1}' }
      for (const key of [old, young]) {
        assert.equal(await keptAnswer(session, key), null)
        await claimRequest(session, key)
        await keepAnswer(session, key, answer)
        assert.deepEqual(await keptAnswer(session, key), answer)
        await assert.rejects(claimRequest(session, key), RequestKnown)
      }
      const other = { ...young, fingerprint: keyOf('young', 'else').fingerprint }
      await assert.rejects(keptAnswer(session, other), { code: 'KEY_REUSED' })
      const dayMs = 24 * 3_600_000
      const madeAt = 'update holdfast_request set made_at = ? where id = ?'
      await session.statements.write(madeAt, [Date.now() - dayMs - 60_000, old.attempt])
      await session.statements.write(madeAt, [Date.now() - dayMs + 60_000, young.attempt])
      await pruneAnswers(session)
      assert.equal(await keptAnswer(session, old), null)
      assert.deepEqual(await keptAnswer(session, young), answer)
    },
    { kind: 'write', rerun: 'never' },
  )
})

it('a repeat does not wait for the request that is in progress', async (t) => {
  const house = openHouse(t, await makeTempDir(t), [feedback])
  const served = house.all.get('feedback')
  assert.ok(served !== undefined)
  const { runner, written } = served
  const gate = Promise.withResolvers<void>()
  const job = {
    tables: [written],
    creates: new Map(),
    isNew: false,
    work: async () => {
      await gate.promise
      return []
    },
  }
  const keyed = { key: keyOf('twice'), single: null, answerOf: () => ({ status: 200, headers: {}, text: '{}' }) }
  const first = runKeyed(runner, job, {}, keyed)
  await assert.rejects(runKeyed(runner, job, {}, keyed), { code: 'KEY_IN_USE', retryAfterS: 1 })
  gate.resolve()
  assert.equal((await first).value.isReplayed, false)
  assert.equal((await runKeyed(runner, job, {}, keyed)).value.isReplayed, true)
})

it('attempts and ids of a request are the same each time, and of no other one', () => {
  const key = keyOf('one')
  assert.deepEqual(keyOf('one'), key)
  assert.match(key.attempt, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const caller = { is: 'token', name: 'one', scopes: [] } as const
  const others = [
    keyOf('two'),
    requestKeyOf({ caller, method: 'POST', path: '/api/feedback', key: 'one', asked: null }),
    requestKeyOf({ caller: { is: 'admin' }, method: 'PATCH', path: '/api/feedback', key: 'one', asked: null }),
    requestKeyOf({ caller: { is: 'admin' }, method: 'POST', path: '/api/feedback2', key: 'one', asked: null }),
  ].map(({ attempt }) => attempt)
  const ids = [key.attempt, ...others, keyedId(key, 0), keyedId(key, 1)]
  assert.equal(new Set(ids).size, ids.length)
  assert.equal(keyedId(keyOf('one', 'else'), 0), keyedId(key, 0), 'what is asked changes the fingerprint alone')
})
