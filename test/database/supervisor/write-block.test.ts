import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { WriteBlock } from '../../../src/database/machine/write-block.ts'
import { connectionStatusOf } from '../../../src/database/supervisor/connection-status.ts'
import { recheckMs } from '../../../src/database/supervisor/recheck.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { settle } from '../../support/fake-clock.ts'
import { configOf, faultLike, ScriptedDatabase } from '../../support/scripted-driver.ts'
import { type Rig, type RigOptions, rigOf } from '../rig.ts'

const write = { kind: 'write', rerun: 'never' } as const
const read = { kind: 'read', rerun: 'never' } as const

/** A rig whose primary serves and says this of our own tables. */
async function onPrimary(ownTables: 'ours' | 'absent' | 'newer' | null, options: RigOptions = {}): Promise<Rig> {
  const rig = rigOf(options)
  rig.primary.ownTables = ownTables
  assert.equal((await rig.supervisor.serving()).shown, 'primary')
  await settle()
  return rig
}

async function lose(rig: Rig): Promise<void> {
  rig.primary.script = ['unreachable']
  const { store } = await rig.supervisor.serving()
  await rig.supervisor.report(store, faultLike('lost'))
  assert.equal((await rig.supervisor.serving()).shown, 'fallback')
}

async function end(rig: Rig): Promise<void> {
  await rig.supervisor.close(5_000)
  rig.work.close()
  await settle()
  assert.equal(rig.clock.pending, 0, 'a timer is left')
  assert.equal(rig.primary.calls.connectionsOpen, 0)
}

const told = (rig: Rig): (WriteBlock | null)[] =>
  rig.seen.flatMap((seen) => (seen.type === 'fallback.writes' ? [seen.block] : []))

async function refused(rig: Rig): Promise<HoldfastError> {
  const error: unknown = await rig.work.run(async () => assert.fail(), write).catch((caught: unknown) => caught)
  assert.ok(error instanceof HoldfastError)
  return error
}

describe('a fallback next to a primary without our tables', () => {
  for (const [ownTables, block] of [
    ['absent', 'tables-absent'],
    ['newer', 'format-newer'],
  ] as const) {
    test(`${ownTables}: the primary accepts writes, the fallback none, and both are reported`, async () => {
      const rig = await onPrimary(ownTables)
      assert.equal((await rig.work.run(async () => 1, write)).durability, 'primary')
      assert.equal(connectionStatusOf(rig.supervisor).writeBlock, block)
      assert.ok(rig.fallback.isReadOnly)
      await lose(rig)
      const { code, retryAfterS, detail } = await refused(rig)
      assert.deepEqual([code, retryAfterS], ['STORE_READ_ONLY', 1])
      assert.match(detail ?? '', /own tables/)
      assert.equal((await rig.work.run(async () => 1, read)).store, 'fallback')
      assert.deepEqual(told(rig), [block])
      await end(rig)
    })
  }

  for (const ownTables of ['ours', null] as const) {
    test(`${ownTables}: the fallback accepts writes`, async () => {
      const rig = await onPrimary(ownTables)
      await lose(rig)
      assert.equal((await rig.work.run(async () => 1, write)).durability, 'journal')
      assert.ok(!rig.fallback.isReadOnly)
      assert.deepEqual(told(rig), [])
      await end(rig)
    })
  }

  for (const [bare, block] of [
    ['primary', 'no-replay'],
    ['fallback', 'no-journal'],
  ] as const) {
    test(`${block}: the ${bare}'s driver cannot, which is known before the primary was ever reached`, async () => {
      const rig = rigOf()
      const other = new ScriptedDatabase('bare-db', { isBare: true, isEmbedded: bare === 'fallback' })
      other.script = bare === 'primary' ? ['auth'] : ['works']
      rig.primary.script = ['auth']
      const [primary, fallback] = bare === 'primary' ? [other, rig.fallback] : [rig.primary, other]
      rig.config = configOf(primary, fallback)
      assert.equal(connectionStatusOf(rig.supervisor).writeBlock, block)
      const { code, detail } = await refused(rig)
      assert.equal(code, 'STORE_READ_ONLY')
      assert.match(detail ?? '', /^The fallback accepts no writes/)
      assert.deepEqual(told(rig), [block])
      assert.ok(fallback.isReadOnly)
      await end(rig)
    })
  }

  test('next to no primary a driver without a journal accepts writes', async () => {
    const rig = rigOf({ declared: false })
    rig.config = configOf(null, new ScriptedDatabase('bare-db', { isBare: true, isEmbedded: true }))
    assert.equal((await rig.work.run(async () => 1, write)).store, 'local')
    await end(rig)
  })

  test('while the primary was never reached the fallback accepts writes', async () => {
    const rig = rigOf()
    rig.primary.ownTables = 'absent'
    rig.primary.script = ['auth']
    assert.equal((await rig.work.run(async () => 1, write)).store, 'fallback')
    await end(rig)
  })

  test('rights granted while the primary serves count at the next check, without a restart', async () => {
    const rig = await onPrimary('absent')
    rig.primary.ownTables = 'ours'
    await rig.clock.advance(recheckMs)
    assert.equal(rig.supervisor.writeBlock, null)
    assert.ok(!rig.fallback.isReadOnly)
    assert.deepEqual(told(rig), ['tables-absent', null])
    const { opened } = rig.primary.calls
    await rig.clock.advance(3 * recheckMs)
    assert.equal(rig.primary.calls.opened, opened, 'it is looked at no more')
    await end(rig)
  })

  test('close does not wait for a hanging check, and leaves nothing of it', async () => {
    const rig = await onPrimary('absent')
    rig.primary.script = ['hangs']
    const { opened } = rig.primary.calls
    await rig.clock.advance(recheckMs)
    assert.equal(rig.primary.calls.opened, opened + 1, 'it is looked at')
    await end(rig)
  })

  test('rights granted while the primary is away count when it is back', async () => {
    const rig = await onPrimary('absent')
    await lose(rig)
    rig.primary.ownTables = 'ours'
    rig.primary.script = ['works']
    await rig.clock.advance(3_000)
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    assert.equal(rig.supervisor.writeBlock, null)
    await lose(rig)
    assert.equal((await rig.work.run(async () => 1, write)).store, 'fallback')
    await end(rig)
  })

  test('revoked rights are noticed by the next verification', async () => {
    const rig = await onPrimary('ours')
    rig.primary.ownTables = 'absent'
    const { store } = await rig.supervisor.serving()
    assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'kept')
    assert.equal(rig.supervisor.writeBlock, 'tables-absent')
    await end(rig)
  })

  test('a store that lacks something is prepared again, and the loss of its primary is noticed', async () => {
    let isLacking = true
    let prepared = 0
    const prepare = async (): Promise<void> => {
      prepared += 1
      if (prepared > 3) isLacking = false
    }
    const rig = await onPrimary('ours', { steps: { ...emptySteps, prepare, lacks: () => isLacking } })
    assert.equal(prepared, 2, 'primary and fallback')
    await rig.clock.advance(recheckMs)
    assert.equal(prepared, 3)
    rig.primary.script = ['unreachable']
    await rig.clock.advance(recheckMs)
    assert.equal((await rig.supervisor.serving()).shown, 'fallback')
    await end(rig)
  })
})
