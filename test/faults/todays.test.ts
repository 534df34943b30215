import assert from 'node:assert/strict'
import { test } from 'node:test'
import { todays } from './todays.ts'

test('in three days each schedule has its day, and none has two', () => {
  const all = Array.from({ length: 10 }, (_, at) => at)
  const days = [0, 1, 2].map((day) => todays(all, (20_000 + day) * 86_400_000 + 5))
  assert.deepEqual(
    days.flat().toSorted((a, b) => a - b),
    all,
  )
  assert.deepEqual(todays(all, 20_003 * 86_400_000), days[0])
})
