import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChangeAge } from '../../../src/archive/ship/change-age.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('how old the changes are that another process has left is not known until they are cut', async () => {
  const clock = new FakeClock()
  let waiting = 100
  const age = new ChangeAge(clock, () => waiting)
  assert.equal(age.oldestMs, Number.NEGATIVE_INFINITY)
  assert.equal(age.begin(), Number.NEGATIVE_INFINITY)
  age.end(false)
  assert.equal(age.oldestMs, Number.NEGATIVE_INFINITY, 'the cut has failed')
  age.begin()
  waiting = 0
  age.end(true)
  assert.equal(age.oldestMs, null)
  const emptyMs = clock.now()
  await clock.advance(500)
  waiting = 50
  assert.equal(age.oldestMs, emptyMs)
})
