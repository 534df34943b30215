import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '../../../src/database/store/store.ts'
import { SlowWatch } from '../../../src/database/work/slow-watch.ts'
import { FakeClock } from '../../support/fake-clock.ts'

// It is handed on and never looked into.
const store = { label: 'a store' } as Store
const other = { label: 'another' } as Store

test('each store has its own limit, also where it is shorter than that of work which began before', async () => {
  const clock = new FakeClock()
  const suspected: string[] = []
  const limits = new Map([
    [store, 7_000],
    [other, 2_500],
  ])
  const watch = new SlowWatch(
    clock,
    (watched) => limits.get(watched) ?? 0,
    ({ label }) => void suspected.push(`${label} at ${clock.now()}`),
  )
  watch.begin(store)
  await clock.advance(1_000)
  watch.begin(other)
  watch.begin(store)
  await clock.advance(20_000)
  assert.deepEqual(suspected, ['another at 3500', 'a store at 7000', 'a store at 8000'])
  assert.equal(clock.pending, 0)
})

test('work is suspected once at its limit, and not at all when it ends before', async () => {
  const clock = new FakeClock()
  const suspected: number[] = []
  const watch = new SlowWatch(
    clock,
    () => 2_500,
    () => void suspected.push(clock.now()),
  )
  const began = clock.now()
  const quick = watch.begin(store)
  await clock.advance(1_000)
  const slow = watch.begin(store)
  await clock.advance(100)
  const slower = watch.begin(store)
  watch.end(quick)
  await clock.advance(10_000)
  assert.deepEqual(
    suspected.map((at) => at - began),
    [3_500, 3_600],
  )
  watch.end(slow)
  watch.end(slower)
  await clock.advance(10_000)
  watch.begin(store)
  const again = clock.now()
  await clock.advance(10_000)
  assert.deepEqual(suspected.slice(2), [again + 2_500])
  watch.begin(store)
  watch.close()
  await clock.advance(10_000)
  assert.equal(suspected.length, 3)
})
