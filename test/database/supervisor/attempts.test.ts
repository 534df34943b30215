import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionStatusOf } from '../../../src/database/supervisor/connection-status.ts'
import { type Rig, rigOf } from '../rig.ts'

/** Attempts so far, and how many milliseconds after the start the last one began. */
function attemptsOf(rig: Rig, startMs: number): readonly [count: number, sinceStartMs: number | null] {
  const { connectionAttemptsCount, lastConnectionAttempt } = connectionStatusOf(rig.supervisor)
  return [connectionAttemptsCount, lastConnectionAttempt === null ? null : Date.parse(lastConnectionAttempt) - startMs]
}

test('all attempts are counted, openings and probes, and the last one by its start', async () => {
  const rig = rigOf({ settings: { attempts: 1 } })
  const startMs = rig.clock.wallMs()
  assert.deepEqual(attemptsOf(rig, startMs), [0, null])
  rig.primary.script = ['hangs']
  const serving = rig.supervisor.serving()
  await rig.clock.advance(4_999)
  const inHand = attemptsOf(rig, startMs)
  assert.deepEqual(inHand, [2, 0], 'primary and fallback, both begun at once; the primary has not answered')
  assert.equal(connectionStatusOf(rig.supervisor).isFallbackActive, false)
  await rig.clock.advance(1)
  assert.equal((await serving).shown, 'fallback')
  assert.equal(connectionStatusOf(rig.supervisor).isFallbackActive, true)
  assert.deepEqual(attemptsOf(rig, startMs), [2, 0])
  await rig.clock.advance(2_000)
  const [probes, lastMs] = attemptsOf(rig, startMs)
  assert.ok(probes > 2 && lastMs !== null && lastMs >= 5_000 && lastMs <= 7_000, `${probes} attempts, ${lastMs}`)
  rig.primary.script = ['works']
  rig.primary.answer('works')
  await rig.clock.advance(30_000)
  const status = connectionStatusOf(rig.supervisor)
  assert.equal(status.state, 'PRIMARY_CONNECTED')
  assert.equal(status.isFallbackActive, false)
  const [counted] = attemptsOf(rig, startMs)
  await rig.clock.advance(60_000)
  assert.deepEqual(attemptsOf(rig, startMs)[0], counted, 'nothing is tried while the primary serves')
  await rig.supervisor.close(0)
})

test('an address that cannot be used is no attempt, and a local database is no active fallback', async () => {
  const unusable = rigOf()
  unusable.config = { ...unusable.config, primary: null }
  assert.equal((await unusable.supervisor.serving()).shown, 'fallback')
  assert.deepEqual(attemptsOf(unusable, unusable.clock.wallMs()), [1, 0])
  await unusable.supervisor.close(0)
  const local = rigOf({ declared: false })
  assert.equal((await local.supervisor.serving()).shown, 'local')
  assert.equal(connectionStatusOf(local.supervisor).isFallbackActive, false)
  assert.deepEqual(attemptsOf(local, local.clock.wallMs()), [1, 0])
  await local.supervisor.close(0)
})
