import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Confirmations } from '../../../src/archive/ship/confirmations.ts'

/** `count` more who wait. */
function wait(confirmations: Confirmations, count: number): void {
  for (let at = 0; at < count; at += 1) void confirmations.add()
}

test('those who were answered by one put and write again share the next one with those who waited meanwhile', () => {
  const confirmations = new Confirmations()
  wait(confirmations, 32)
  assert.ok(confirmations.isCutDue(0), 'nobody was answered yet')
  confirmations.begin()(1)
  wait(confirmations, 32)
  confirmations.stored(1, 1_000, 30)
  assert.equal(confirmations.gatheringMs(1_000), 15)
  assert.ok(!confirmations.isCutDue(1_000))
  wait(confirmations, 31)
  assert.ok(!confirmations.isCutDue(1_001))
  wait(confirmations, 1)
  assert.ok(confirmations.isCutDue(1_001), 'all have come')
})

test('one that does not come back is waited for only a moment, and a caller alone never waits', () => {
  const confirmations = new Confirmations()
  wait(confirmations, 2)
  confirmations.begin()(1)
  confirmations.stored(1, 1_000, 1_000)
  assert.ok(!confirmations.isCutDue(1_024), 'nobody waits')
  wait(confirmations, 1)
  assert.ok(!confirmations.isCutDue(1_024))
  assert.ok(confirmations.isCutDue(1_025), 'the longest moment is over')
  assert.equal(confirmations.gatheringMs(1_025), null)
  confirmations.begin()(2)
  confirmations.stored(2, 2_000, 1)
  wait(confirmations, 1)
  assert.ok(confirmations.isCutDue(2_000), 'the only one is back')
})
