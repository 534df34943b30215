import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settle } from '../support/fake-clock.ts'
import { path, rigOf } from './rig.ts'

describe('opening', () => {
  test('opens nothing before the first ask', async () => {
    const rig = rigOf()
    await settle()
    assert.equal(rig.supervisor.state.name, 'DISCONNECTED')
    assert.equal(rig.resolved, 0)
    assert.equal(rig.primary.calls.opened + rig.fallback.calls.opened, 0)
    assert.equal(rig.clock.pending, 0)
  })

  test('opens primary and fallback side by side, once for all that ask at one time', async () => {
    const rig = rigOf()
    const asked = [rig.supervisor.serving(), rig.supervisor.serving(), rig.supervisor.open()]
    await settle()
    await Promise.all(asked)
    assert.deepEqual(path(rig), ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'])
    assert.equal(rig.primary.calls.opened, 1)
    assert.equal(rig.fallback.calls.opened, 1)
    assert.equal(rig.primary.calls.ormsMade, 1)
    await rig.supervisor.close(1_000)
    assert.equal(rig.primary.calls.connectionsOpen, 0)
  })

  test('serves the local store when no primary is declared', async () => {
    const rig = rigOf({ declared: false })
    const serving = await rig.supervisor.serving()
    assert.equal(serving.shown, 'local')
    assert.equal(rig.primary.calls.opened, 0)
    assert.deepEqual(rig.fallback.calls.verified, [{ role: 'fallback', proof: 'open' }])
    await rig.supervisor.close(1_000)
  })
})
