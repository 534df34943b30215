import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '../../../src/database/store/store.ts'
import { SlowWatch } from '../../../src/database/work/slow-watch.ts'
import { FakeClock } from '../../support/fake-clock.ts'

// It is handed on and never looked into.
const store = { label: 'a store' } as Store

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
