import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { settle } from '../../support/fake-clock.ts'
import { type Rig, rigOf } from '../rig.ts'

interface Leaving {
  readonly rig: Rig
  readonly left: { readonly store: Store; readonly withinMs: number; isDrained: boolean }[]
  readonly done: PromiseWithResolvers<void>
}

function leaving(): Leaving {
  const left: Leaving['left'] = []
  const done = Promise.withResolvers<void>()
  const leave = async (store: Store, drained: Promise<void>, withinMs: number): Promise<void> => {
    const one = { store, withinMs, isDrained: false }
    left.push(one)
    await drained
    one.isDrained = true
    await done.promise
  }
  return { rig: rigOf({ declared: false, steps: { ...emptySteps, leave } }), left, done }
}

function closed(rig: Rig): number {
  return rig.seen.filter(({ type }) => type === 'store.closed').length
}

test('a store closes after its archiving has ended, which begins at once and knows when the work is over', async () => {
  const { rig, left, done } = leaving()
  const held = Promise.withResolvers<void>()
  const work = rig.work.run(() => held.promise, { kind: 'write', rerun: 'never' })
  await settle()
  const closing = rig.supervisor.close(5_000)
  await settle()
  assert.deepEqual([left.length, left[0]?.withinMs, left[0]?.isDrained], [1, 4_000, false])
  held.resolve()
  await work
  await settle()
  assert.deepEqual([left[0]?.isDrained, closed(rig)], [true, 0])
  done.resolve()
  await closing
  assert.equal(closed(rig), 1)
})

test('archiving that does not end holds up no close beyond the limit', async () => {
  const { rig, left } = leaving()
  await rig.supervisor.open()
  let isClosed = false
  void rig.supervisor.close(5_000).then(() => {
    isClosed = true
  })
  await rig.clock.advance(4_999)
  assert.deepEqual([left.length, isClosed], [1, false])
  await rig.clock.advance(2_001)
  assert.deepEqual([isClosed, closed(rig)], [true, 1])
})
