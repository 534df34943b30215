import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../../support/fake-clock.ts'
import { type Rig, rigOf } from '../rig.ts'

/** A rig whose primary has refused the password for a minute, so that it is tried every 15 to 30 s. */
async function refused(rig: Rig): Promise<void> {
  rig.primary.script = ['auth']
  await rig.supervisor.serving().catch(() => undefined)
  await rig.clock.advance(60_000)
}

async function end(rig: Rig): Promise<void> {
  await rig.supervisor.close(5_000)
  rig.work.close()
  await settle()
  assert.equal(rig.clock.pending, 0, 'a timer is left')
}

test('a rejected password is retried ever more slowly, and at once when its file changes', async () => {
  const rig = rigOf()
  await refused(rig)
  const { opened } = rig.primary.calls
  await rig.clock.advance(10_000)
  assert.ok(rig.primary.calls.opened - opened <= 1, 'slowly')
  rig.primary.script = ['works']
  rig.secretsFingerprint = 'rotated'
  await rig.clock.advance(1_500)
  assert.equal((await rig.supervisor.serving()).shown, 'primary')
  await end(rig)
})

test('a changed file that is still wrong is tried once, then slowly again', async () => {
  const rig = rigOf()
  await refused(rig)
  const before = rig.primary.calls.opened
  rig.secretsFingerprint = 'rotated'
  await rig.clock.advance(10_000)
  const tries = rig.primary.calls.opened - before
  assert.ok(tries >= 1 && tries <= 2, `${tries} tries`)
  await end(rig)
})

test('without a fallback it recovers just as soon', async () => {
  const rig = rigOf({ settings: { fallbackEnabled: false } })
  await refused(rig)
  assert.equal(rig.supervisor.state.name, 'CONNECTION_ERROR')
  rig.primary.script = ['works']
  rig.secretsFingerprint = 'rotated'
  await rig.clock.advance(1_500)
  assert.equal((await rig.supervisor.serving()).shown, 'primary')
  await end(rig)
})

test('a primary that is unreachable is retried at its own pace', async () => {
  const rig = rigOf()
  rig.primary.script = ['unreachable']
  void rig.supervisor.serving()
  await rig.clock.advance(5_000)
  rig.secretsFingerprint = 'rotated'
  const { opened } = rig.primary.calls
  await rig.clock.advance(200)
  assert.ok(rig.primary.calls.opened - opened <= 1)
  await end(rig)
})
