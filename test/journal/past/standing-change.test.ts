import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Standing } from '../../../src/driver/facet/standing.ts'
import { backReason, hasGrown, isSame } from '../../../src/journal/past/standing-change.ts'

const before: Standing = {
  ...{ cluster: 'c1', server: 's1', isWritable: true, members: 2 },
  ...{ timeline: 2, position: 100n },
}

it('a standing shows an older state by another cluster, a lower timeline, or a shorter log of the same one', () => {
  const reasons: readonly (readonly [Partial<Standing>, ReturnType<typeof backReason>])[] = [
    [{}, null],
    [{ position: 101n }, null],
    [{ position: 99n }, 'position'],
    [{ timeline: 3, position: 120n }, null],
    [{ timeline: 3, position: 99n }, null],
    [{ timeline: 1, position: 200n }, 'timeline'],
    [{ cluster: 'c2', position: 200n }, 'cluster'],
    [{ cluster: null, timeline: null, position: null }, null],
    [{ cluster: null, position: null }, null],
  ]
  for (const [change, reason] of reasons) {
    assert.equal(backReason(before, { ...before, ...change }, false), reason, String(change.timeline))
  }
})

it('where nothing else can tell what was lost, a shorter log counts on a higher timeline, too', () => {
  assert.equal(backReason(before, { ...before, timeline: 3, position: 99n }, true), 'position')
  assert.equal(backReason(before, { ...before, timeline: 3, position: 100n }, true), null)
})

it('logs of clusters without timelines are not compared: a member may be behind for a moment', () => {
  const galera = { ...before, timeline: null }
  assert.equal(backReason(galera, { ...galera, position: 50n }, true), null)
})

it('a server that is opened again has whatever it has acknowledged where it is the same and its log has grown', () => {
  const after = (change: Partial<Standing>, isOpening = true): boolean =>
    isSame(before, { ...before, ...change }, isOpening)
  assert.equal(after({ position: 200n }), true)
  assert.deepEqual([after({ position: 99n }), after({ server: 's2' }), after({ timeline: 3 })], [false, false, false])
  // A server that keeps its name over a restart does not say what it has lost.
  assert.deepEqual([after({ position: null }), after({ position: null }, false)], [false, true])
  const nameless = { ...before, server: null }
  assert.deepEqual([isSame(nameless, nameless, true), isSame(nameless, nameless, false)], [false, true])
  assert.equal(after({ server: 's2' }, false), false)
})

it('what was acknowledged before a position is there in each longer log of the same timeline', () => {
  assert.equal(hasGrown(before, { ...before, server: 's2', position: 100n }), true)
  for (const change of [
    { position: 99n },
    { position: null },
    { timeline: 3 },
    { timeline: null },
    { cluster: 'c2' },
  ]) {
    assert.equal(hasGrown(before, { ...before, ...change }), false)
  }
})
