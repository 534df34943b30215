import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Standing } from '../../../src/driver/facet/standing.ts'
import { backReason, isOnward } from '../../../src/journal/past/standing-change.ts'

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

it('the same server with a longer log has whatever it has acknowledged; one that does not say who it is may not', () => {
  assert.equal(isOnward(before, { ...before, position: 200n }), true)
  assert.equal(isOnward(before, { ...before, position: 99n }), false)
  assert.equal(isOnward(before, { ...before, server: 's2' }), false)
  assert.equal(isOnward(before, { ...before, timeline: 3 }), false)
  assert.equal(isOnward({ ...before, server: null }, { ...before, server: null }), false)
})
