import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LastDrill } from '../../../src/archive/archive-state.ts'
import { DrillSchedule } from '../../../src/archive/restore/drills.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'

const dayMs = 86_400_000

interface Scene {
  readonly clock: FakeClock
  readonly schedule: DrillSchedule
  /** When each drill ran, in milliseconds. */
  readonly ran: number[]
  readonly ended: LastDrill[]
  readonly failed: unknown[]
  everyMs: number
  last: LastDrill | null
  run: (signal: AbortSignal) => Promise<LastDrill | null>
}

function sceneOf(): Scene {
  const clock = new FakeClock()
  const passed = (): LastDrill => ({ atMs: clock.wallMs(), rows: 1, tookMs: 1, failure: null })
  const [ran, ended, failed]: [number[], LastDrill[], unknown[]] = [[], [], []]
  const scene: Scene = {
    ...{ clock, ran, ended, failed, everyMs: dayMs, last: null, run: async () => passed() },
    schedule: new DrillSchedule({
      clock,
      everyMs: () => scene.everyMs,
      last: async () => scene.last,
      run: async (signal) => {
        ran.push(clock.now())
        return await scene.run(signal)
      },
      ended: (drill) => void ended.push(drill),
      failed: (error) => void failed.push(error),
    }),
  }
  return scene
}

test('a drill runs after the first snapshot, then each day, and never because of another snapshot', async () => {
  const { clock, schedule, ran, ended } = sceneOf()
  await clock.advance(dayMs)
  assert.deepEqual(ran, [])
  schedule.snapshotStored()
  await settle()
  assert.deepEqual(ran, [dayMs])
  schedule.snapshotStored()
  await clock.advance(dayMs - 60_000)
  assert.equal(ran.length, 1)
  await clock.advance(60_000)
  assert.equal(ran.length, 2)
  assert.equal(ended.length, 2)
  await schedule.close()
  assert.equal(clock.pending, 0)
})

test('the next process says when it was last proven, and drills when that is due', async () => {
  const scene = sceneOf()
  const { clock, schedule, ran, ended } = scene
  scene.last = { atMs: clock.wallMs() - dayMs + 600_000, rows: 7, tookMs: 1, failure: null }
  schedule.snapshotStored()
  await settle()
  assert.deepEqual([ran, ended], [[], [scene.last]])
  await clock.advance(600_000)
  assert.equal(ran.length, 1)
  await schedule.close()
})

test('a drill begins when it is due, not at the next full minute', async () => {
  const scene = sceneOf()
  const { clock, schedule, ran } = scene
  scene.everyMs = 5_000
  schedule.snapshotStored()
  await settle()
  await clock.advance(5_000)
  scene.everyMs = 90_000
  await clock.advance(5_000)
  await clock.advance(90_000)
  assert.deepEqual(ran, [0, 5_000, 10_000, 100_000])
  await schedule.close()
})

test('a failed drill is tried again after an hour, as is one that could not run', async () => {
  const scene = sceneOf()
  const { clock, schedule, ran, ended, failed } = scene
  scene.run = async () => ({ atMs: clock.wallMs(), rows: 0, tookMs: 1, failure: 'It is damaged.' })
  schedule.snapshotStored()
  await settle()
  scene.run = () => Promise.reject(new Error('away'))
  await clock.advance(3_600_000)
  scene.run = async () => null
  await clock.advance(3_600_000)
  assert.deepEqual([ran.length, ended.length, failed.length], [3, 1, 1])
  await schedule.close()
})

test('0 means never, and a changed setting counts', async () => {
  const scene = sceneOf()
  const { clock, schedule, ran } = scene
  scene.everyMs = 0
  schedule.snapshotStored()
  await clock.advance(3 * dayMs)
  assert.deepEqual(ran, [])
  scene.everyMs = dayMs
  await clock.advance(60_000)
  assert.equal(ran.length, 1)
  await schedule.close()
})

test('closing ends a drill that runs, and starts no other', async () => {
  const scene = sceneOf()
  scene.run = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  scene.schedule.snapshotStored()
  await settle()
  await scene.schedule.close()
  await scene.clock.advance(2 * dayMs)
  assert.deepEqual([scene.ran.length, scene.failed], [1, []])
  assert.equal(scene.clock.pending, 0)
})
