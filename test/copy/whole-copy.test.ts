import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overlapMs, wholeCopyOf } from '../../src/copy/whole-copy.ts'
import type { CopyState } from '../../src/driver/facet/copy.ts'
import { idOfTime } from '../../src/driver/kit/draw-id.ts'

const [sweptMs, polledMs] = [1_700_000_000_000, 1_700_000_600_000]
const state: CopyState = {
  isSwept: true,
  isVerified: true,
  columns: [],
  after: null,
  asOfMs: sweptMs,
  polled: idOfTime(polledMs),
  rows: 1,
  bytes: 1,
}
const fallback = {
  copy: { source: () => ({ identity: 'one', target: 'here' }), state: () => state },
  journal: { identity: 'one' },
}

test('an id that clients give is looked for by the sweep alone, and one that says no time is never known to be missing', () => {
  const [drawn, given] = [wholeCopyOf(fallback, 'notes', 'here'), wholeCopyOf(fallback, 'notes', 'here', [], true)]
  const knownTo = (id: string) => [drawn?.knows(id), given?.knows(id)]
  assert.deepEqual(knownTo(idOfTime(sweptMs - overlapMs - 1)), [true, true])
  assert.deepEqual(knownTo(idOfTime(sweptMs)), [true, false])
  assert.deepEqual(knownTo(idOfTime(polledMs)), [false, false])
  // Derived from the key of a request, or a client's own.
  assert.deepEqual(knownTo('0190a1b2-0000-8000-8000-000000000000'), [false, false])
  assert.deepEqual(knownTo('0190a1b2-0000-4000-8000-000000000000'), [false, false])
})
