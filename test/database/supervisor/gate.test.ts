import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '../../../src/database/store/store.ts'
import { Gate } from '../../../src/database/supervisor/gate.ts'
import { settle } from '../../support/fake-clock.ts'

const store = {} as Store // The gate never looks into a store.
const other = {} as Store // Neither here.

test('holds writes only after hold, and lets all of them in at once', async () => {
  const gate = new Gate()
  await gate.opened()
  gate.hold()
  let let_in = 0
  const waiting = [1, 2].map(() => gate.opened().then(() => (let_in += 1)))
  await settle()
  assert.equal(let_in, 0)
  gate.release()
  gate.release()
  await Promise.all(waiting)
  assert.equal(let_in, 2)
})

test('forgets a caller that gives up', async () => {
  const gate = new Gate()
  gate.hold()
  const controller = new AbortController()
  const waiting = gate.opened(controller.signal)
  controller.abort(new Error('gone'))
  await assert.rejects(waiting, /gone/)
  await assert.rejects(gate.opened(controller.signal), /gone/)
  gate.release()
})

test('drains one store, of writes or of all', async () => {
  const gate = new Gate()
  gate.enter(store, 'read')
  gate.enter(store, 'write')
  gate.enter(other, 'write')
  assert.equal(gate.active, 3)
  const drained: string[] = []
  const writes = gate.drained(store, 'write').then(() => drained.push('writes'))
  const all = gate.drained(store).then(() => drained.push('all'))
  await settle()
  assert.deepEqual(drained, [])
  gate.leave(store, 'write')
  await writes
  assert.deepEqual(drained, ['writes'])
  gate.leave(store, 'read')
  await all
  assert.equal(gate.active, 1)
  gate.leave(other, 'write')
  await gate.drained(other)
  assert.equal(gate.active, 0)
})

test('work on a store that was forgotten meanwhile is still counted down', () => {
  const gate = new Gate()
  gate.enter(store, 'read')
  gate.forget(store)
  gate.leave(store, 'read')
  assert.equal(gate.active, 0)
  gate.forget(store)
  gate.enter(store, 'read')
  gate.leave(store, 'read')
  assert.equal(gate.active, 0)
})
