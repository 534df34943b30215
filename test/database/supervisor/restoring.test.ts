import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { settle } from '../../support/fake-clock.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { defaults, path, type Rig, rigOf } from '../rig.ts'

interface Restoring {
  readonly rig: Rig
  /** Each restore that began, with the signal that ends it. */
  readonly begun: { readonly signal: AbortSignal; readonly done: PromiseWithResolvers<void> }[]
}

function restoring(declared = false): Restoring {
  const begun: Restoring['begun'] = []
  const restore = (signal: AbortSignal): Promise<void> => {
    const done = Promise.withResolvers<void>()
    begun.push({ signal, done })
    return done.promise
  }
  return { rig: rigOf({ declared, steps: { ...emptySteps, restore } }), begun }
}

test('the local store is opened after its rows are restored, and the limit of opening counts from then on', async () => {
  const { rig, begun } = restoring()
  rig.fallback.script = ['hangs']
  const serving = rig.supervisor.serving().catch((error: unknown) => error)
  await rig.clock.advance(10 * defaults.limits.connectMs)
  assert.equal(rig.supervisor.state.name, 'CONNECTING_FALLBACK')
  assert.equal(rig.fallback.calls.opened, 0)
  begun[0]?.done.resolve()
  await settle()
  assert.equal(rig.fallback.calls.opened, 1)
  await rig.clock.advance(defaults.limits.connectMs - 1)
  assert.equal(rig.supervisor.state.name, 'CONNECTING_FALLBACK')
  await rig.clock.advance(1)
  assert.equal(rig.supervisor.state.name, 'CONNECTION_ERROR')
  assert.match(String(await serving), /STORE_UNAVAILABLE/)
  await rig.supervisor.close(0)
})

test('a restore that has to wait is tried again, and its reason is the fault', async () => {
  const { rig, begun } = restoring()
  void rig.supervisor.open()
  await settle()
  begun[0]?.done.reject(new FaultError(faultLike('lost', { summary: 'Not yet.' })))
  await settle()
  const { state } = rig.supervisor
  assert.equal(state.name === 'CONNECTION_ERROR' && state.fault.summary, 'Not yet.')
  await rig.clock.advance(60_000)
  assert.equal(begun.length, 2)
  begun[1]?.done.resolve()
  await settle()
  assert.deepEqual(path(rig).slice(-2), ['CONNECTING_FALLBACK', 'FALLBACK_CONNECTED'])
  await rig.supervisor.close(0)
})

test('closing ends a restore', async () => {
  const { rig, begun } = restoring()
  void rig.supervisor.open()
  await settle()
  const closed = rig.supervisor.close(1_000)
  await rig.clock.advance(1_000)
  await closed
  assert.equal(begun[0]?.signal.aborted, true)
  assert.equal(rig.fallback.calls.opened, 0)
})
