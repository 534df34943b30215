import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Positions } from '../../src/copy/positions.ts'

test('a position of an earlier process counts at once', () => {
  const positions = new Positions(() => 0, 100n)
  assert.equal(positions.promised, 100n)
  assert.equal(positions.wentBack(99n), true)
  positions.forget()
  assert.equal(positions.promised, null)
  assert.equal(positions.wentBack(99n), false)
})

test('a primary is set back when it is behind a position of ten seconds ago, for as long as it is not forgotten', () => {
  let now = 0
  const positions = new Positions(() => now)
  assert.equal(positions.wentBack(100n), false)
  assert.equal(positions.wentBack(90n), false, 'what a server has not promised yet may be lost')
  now = 10_000
  assert.equal(positions.wentBack(110n), false)
  assert.equal(positions.wentBack(null), false)
  assert.equal(positions.wentBack(50n), true)
  now = 60_000
  assert.equal(positions.wentBack(60n), true, 'the copy may not have been dropped yet')
  positions.forget()
  assert.equal(positions.wentBack(60n), false)
  now = 70_000
  assert.equal(positions.wentBack(70n), false)
  assert.equal(positions.wentBack(59n), true)
})
