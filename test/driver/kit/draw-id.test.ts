import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawId } from '../../../src/driver/kit/draw-id.ts'

test('ids are UUIDv7 of now, all different, and sort in the order in which they were drawn', () => {
  const before = Date.now()
  const ids = Array.from({ length: 5_000 }, drawId)
  const after = Date.now()
  assert.equal(new Set(ids).size, ids.length)
  assert.deepEqual([...ids].sort(), ids)
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  for (const id of ids) {
    const ms = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    assert.ok(ms >= before && ms <= after, `${ms} is not from ${before} to ${after}`)
  }
})

test('no random bytes are used twice', () => {
  const ends = new Set(Array.from({ length: 5_000 }, () => drawId().slice(-10)))
  assert.equal(ends.size, 5_000)
})
