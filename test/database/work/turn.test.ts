import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { currentTurn, noteArrival } from '../../../src/database/work/turn.ts'

test('requests that arrive together share a turn, and one that may have come later has its own', async () => {
  noteArrival(false)
  const first = currentTurn()
  noteArrival(false)
  assert.equal(currentTurn(), first)
  noteArrival(true)
  assert.equal(currentTurn(), first + 1)
  noteArrival(false)
  assert.equal(currentTurn(), first + 1)
  await setImmediate()
  noteArrival(false)
  assert.equal(currentTurn(), first + 2)
})

test('after so many requests that the system may have been asked again, another turn begins', async () => {
  await setImmediate()
  noteArrival(false)
  const first = currentTurn()
  for (let count = 0; count < 2_500; count += 1) noteArrival(false)
  assert.ok(currentTurn() > first)
})
