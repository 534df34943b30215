import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { Sharing } from '../../../src/driver/kit/sharing.ts'

/** Lends `client` to `count` callers, whose statements take `eachMs`. */
function run(sharing: Sharing<string>, count: number, eachMs: number): void {
  const now = mock.method(performance, 'now', () => 0)
  try {
    sharing.lend('a', count)
    now.mock.mockImplementation(() => eachMs * count)
    for (let at = 1; at < count; at += 1) assert.equal(sharing.giveBack('a'), false)
    assert.equal(sharing.giveBack('a'), true)
  } finally {
    now.mock.restore()
  }
}

describe('connections that callers share', () => {
  test('how many may share one depends on how long statements take', () => {
    const sharing = new Sharing<string>(2, 8)
    assert.equal(sharing.shareOf(100, 'read'), 1, 'not known yet')
    run(sharing, 1, 5)
    assert.equal(sharing.shareOf(100, 'read'), 2)
    for (let at = 0; at < 30; at += 1) run(sharing, 2, 0.1)
    assert.equal(sharing.shareOf(100, 'read'), 16)
    run(sharing, 3, 1_000)
    assert.equal(sharing.shareOf(100, 'read'), 1, 'after one that was slow')
  })

  test('each connection gets its part of those that wait', () => {
    const sharing = new Sharing<string>(3, 3)
    run(sharing, 1, 0.1)
    const shares = [1, 3, 4, 9, 10].map((waiting) => sharing.shareOf(waiting, 'read'))
    assert.deepEqual(shares, [1, 1, 2, 3, 4])
  })

  test('no more writes wait for their answers than there may be connections', () => {
    const sharing = new Sharing<string>(2, 7)
    run(sharing, 1, 0.1)
    assert.equal(sharing.shareOf(100, 'write'), 3)
    sharing.adapt(true)
    assert.equal(sharing.shareOf(100, 'write'), 2)
    for (let at = 0; at < 10; at += 1) sharing.adapt(true)
    assert.equal(sharing.shareOf(100, 'write'), 1)
  })

  test('there are more of them while callers are late, within the limit, and fewer afterwards', () => {
    const sharing = new Sharing<string>(1, 3)
    const lefts = [true, true, true, false, false, false].map((isLate) => {
      sharing.adapt(isLate)
      return sharing.left
    })
    assert.deepEqual(lefts, [2, 3, 3, 2, 1, 1])
    sharing.lend('a', 2)
    assert.equal(sharing.left, 0)
    sharing.giveBack('a')
    assert.equal(sharing.left, 0)
    sharing.giveBack('a')
    assert.equal(sharing.left, 1)
    assert.equal(sharing.giveBack('lent by nobody'), true)
  })
})
