import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { boot } from '../../../src/database/supervisor/boot.ts'
import { connectionStatusOf, hasFallback } from '../../../src/database/supervisor/connection-status.ts'
import { settle } from '../../support/fake-clock.ts'
import { configOf, faultLike, ScriptedDatabase } from '../../support/scripted-driver.ts'
import { type Rig, rigOf } from '../rig.ts'

async function end(rig: Rig): Promise<void> {
  await rig.supervisor.close(1_000)
  rig.work.close()
}

async function opens(rig: Rig, policy: 'lazy' | 'eager', isArchived = false): Promise<boolean> {
  assert.deepEqual(await boot(policy, rig.supervisor, rig.config, isArchived), {})
  await settle()
  const isOpen = rig.supervisor.state.name !== 'DISCONNECTED'
  await end(rig)
  return isOpen
}

describe('the boot policy', () => {
  test('lazy opens nothing, unless a primary is declared and a file of ours exists', async () => {
    const withFile = new ScriptedDatabase('with-file', {
      isEmbedded: true,
      files: ['/nowhere/x', import.meta.filename],
    })
    const rig = rigOf()
    assert.equal(await opens(rig, 'lazy'), false)
    const declared = rigOf()
    declared.config = configOf(declared.primary, withFile)
    assert.equal(await opens(declared, 'lazy'), true)
    const undeclared = rigOf()
    undeclared.config = configOf(null, withFile)
    assert.equal(await opens(undeclared, 'lazy'), false)
  })

  test('lazy opens a store that is archived: its rows may have to be restored', async () => {
    assert.equal(await opens(rigOf({ declared: false }), 'lazy', true), true)
  })

  test('eager opens in the background', async () => {
    assert.equal(await opens(rigOf(), 'eager'), true)
  })

  test('required ends the process when the primary is not reached, and says why', async () => {
    const reached = rigOf()
    assert.deepEqual(await boot('required', reached.supervisor, reached.config, false), {})
    await end(reached)
    const local = rigOf({ declared: false })
    assert.deepEqual(await boot('required', local.supervisor, local.config, false), {})
    await end(local)
    const refused = rigOf()
    refused.primary.script = ['auth']
    const booted = await boot('required', refused.supervisor, refused.config, false)
    assert.equal(booted.exit, 1)
    assert.match(booted.why ?? '', /primary was not reached\. A auth fault/)
    await end(refused)
  })
})

describe('the connection status', () => {
  test('shows state, since when, why, store, attempts, standby, and the transitions of the last hour', async () => {
    const rig = rigOf()
    const before = connectionStatusOf(rig.supervisor)
    assert.deepEqual(
      [before.state, before.row, before.store, before.lastAttempt],
      ['DISCONNECTED', 'not-asked', null, null],
    )
    rig.primary.script = ['auth']
    await rig.supervisor.serving()
    await rig.clock.advance(90_000.4)
    const context = connectionStatusOf(rig.supervisor)
    assert.equal(context.state, 'FALLBACK_CONNECTED')
    assert.equal(context.row, 'fallback')
    assert.equal(context.forMs, 90_000)
    assert.equal(context.since, new Date(rig.clock.wallMs() - 90_000).toISOString())
    assert.equal(context.why?.kind, 'auth')
    assert.equal(context.store?.label, 'fallback-db-store')
    assert.ok(context.attempts > 1)
    assert.equal(context.lastAttempt?.fault?.kind, 'auth')
    assert.equal(context.recovery, 'waiting')
    assert.deepEqual(
      context.transitions.map((transition) => transition.to),
      ['CONNECTING_PRIMARY', 'CONNECTING_FALLBACK', 'FALLBACK_CONNECTED'],
    )
    assert.ok(!JSON.stringify(context).includes('cause'))
    await rig.clock.advance(3_600_000)
    assert.deepEqual(connectionStatusOf(rig.supervisor).transitions, [])
    await end(rig)
  })

  test('warns about a fallback that could not be opened, not about one that is disabled', async () => {
    const rig = rigOf()
    rig.fallback.script = ['unwritable']
    await rig.supervisor.serving()
    assert.equal(hasFallback(rig.supervisor), false)
    assert.equal(connectionStatusOf(rig.supervisor).standby?.fault?.kind, faultLike('unwritable').kind)
    await end(rig)
    const alone = rigOf({ settings: { fallbackEnabled: false } })
    await alone.supervisor.serving()
    assert.equal(hasFallback(alone.supervisor), true)
    await end(alone)
  })
})
