import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pruneClaims } from '../../src/journal/claims.ts'
import { insert, never, Scene } from './bench.ts'
import { onServers } from './servers.ts'

const day = 86_400_000

onServers('pruning claims', (server, kind) => {
  test('the watermark only rises, and older claims go, a day later than it says', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const { attempts } = primary
    assert.ok(attempts)
    const made = [await insert(fallback, 'a', 'a'), await insert(fallback, 'b', 'b'), await insert(fallback, 'c', 'c')]
    await scene.replayer().carry(fallback, primary, 0, never)
    const age = async (id: string | undefined, days: number): Promise<void> => {
      const ago = kind.name === 'PostgreSQL' ? `interval '${days}' day` : `interval ${days} day`
      await scene.server.query(
        `update holdfast_attempt set made_at = made_at - ${ago} where id = '${id}'`,
        scene.database,
      )
    }
    await age(made[0], 32)
    await age(made[1], 30)
    const now = Date.now()
    assert.equal(await pruneClaims(primary, attempts, now - 30 * day, now, never), 1)
    const left = await scene.server.query('select id from holdfast_attempt', scene.database)
    assert.deepEqual(left.map(({ id }) => id).sort(), [made[1], made[2]].sort())
    const mark = async (): Promise<unknown> =>
      (await scene.server.query('select watermark from holdfast_identity', scene.database))[0]?.watermark
    const first = String(await mark())
    assert.equal(Number.parseInt(first.replaceAll('-', '').slice(0, 12), 16), now - 30 * day)
    await pruneClaims(primary, attempts, now - 40 * day, now, never)
    assert.equal(await mark(), first)
    await pruneClaims(primary, attempts, now - 20 * day, now, never)
    assert.ok(String(await mark()) > first)
  })

  test('a copy that turns up after its claims are gone is parked, and nothing of it is applied again', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const { attempts } = primary
    assert.ok(attempts)
    await insert(fallback, 'a', 'a')
    await scene.replayer().carry(fallback, primary, 0, never)
    await scene.server.query('delete from everything', scene.database)
    await scene.server.query(`update holdfast_attempt set made_at = '2001-01-01 00:00:00'`, scene.database)
    const later = Date.now() + 1_000
    assert.equal(await pruneClaims(primary, attempts, later, later, never), 1)
    await fallback.journal.carryAgain()
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual([await scene.words(), await scene.reasons()], [{}, ['too_old']])
  })

  test('an abort ends it between two steps', async (t) => {
    const scene = await Scene.make(t, server())
    const primary = await scene.primary()
    const { attempts } = primary
    assert.ok(attempts)
    const aborted = AbortSignal.abort(new Error('enough'))
    await assert.rejects(pruneClaims(primary, attempts, Date.now(), Date.now(), aborted), /enough/)
  })
})
