import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Archiving } from '../../../src/database/store/archiving.ts'
import { noArchiving } from '../../../src/database/store/archiving.ts'
import type { Demand } from '../../../src/database/store/store.ts'
import { failedStore } from '../../../src/database/work/failure.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { settle } from '../../support/fake-clock.ts'
import { type Rig, refusal, rigOf } from '../rig.ts'

const write = { kind: 'write', rerun: 'never' } as const
const ephemeral = { facts: { ephemeral: true } } as const

/** An archive whose confirmations the test gives. */
function scripted(demands: readonly Demand[], parts: Partial<Archiving> = {}) {
  const waiting: PromiseWithResolvers<void>[] = []
  const archiving: Archiving = {
    ...noArchiving,
    lagS: () => 0.75,
    canMeet: (_store, _shown, demand) => demands.includes(demand),
    confirmed: () => {
      const one = Promise.withResolvers<void>()
      waiting.push(one)
      return one.promise
    },
    ...parts,
  }
  return { waiting, archiving }
}

async function end(rig: Rig): Promise<void> {
  await rig.supervisor.close(1_000)
  rig.work.close()
  assert.deepEqual([rig.gate.active, rig.gate.admitted], [0, 0])
}

describe('work on a store with an archive', () => {
  test('says how far the archive is behind, and waits for nothing that was not demanded', async () => {
    const { waiting, archiving } = scripted(['archived', 'local'])
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    const { durability, archiveLagS } = await rig.work.run(async () => 1, write)
    assert.deepEqual([durability, archiveLagS, waiting.length], ['local-ephemeral', 0.75, 0])
    const read = await rig.work.run(async () => 1, { kind: 'read', rerun: 'never' })
    assert.equal('archiveLagS' in read, false)
    await end(rig)
  })

  test('answers a demand when the archive has the change, says so, and holds no switch up meanwhile', async () => {
    const { waiting, archiving } = scripted(['archived', 'local'])
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    for (const demand of ['archived', 'local'] as const) {
      let isAnswered = false
      const answer = rig.work
        .run(async () => 1, { ...write, demand })
        .finally(() => {
          isAnswered = true
        })
      await settle()
      assert.deepEqual([isAnswered, rig.gate.active, rig.gate.admitted], [false, 0, 1])
      waiting.pop()?.resolve()
      const { durability, ...rest } = await answer
      assert.deepEqual([durability, 'archiveLagS' in rest], ['archived', false])
    }
    await end(rig)
  })

  test('does not wait on a lasting disk for what that meets', async () => {
    const { waiting, archiving } = scripted(['archived', 'local'])
    const rig = rigOf({ declared: false, archiving })
    assert.equal((await rig.work.run(async () => 1, { ...write, demand: 'local' })).durability, 'local')
    assert.equal(waiting.length, 0)
    await end(rig)
  })

  test('refuses a demand that the archive cannot meet, before anything is written', async () => {
    const { archiving } = scripted([])
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    for (const demand of ['archived', 'local', 'journal', 'primary'] as const) {
      await refusal(
        rig.work.run(async () => assert.fail(), { ...write, demand }),
        'DURABILITY_UNMET',
      )
    }
    await end(rig)
  })

  test('never calls a primary archived, whatever the archive says', async () => {
    const { archiving } = scripted(['archived', 'journal', 'local', 'primary'])
    const rig = rigOf({ archiving })
    await refusal(
      rig.work.run(async () => assert.fail(), { ...write, demand: 'archived' }),
      'DURABILITY_UNMET',
    )
    assert.equal((await rig.work.run(async () => 1, { ...write, demand: 'journal' })).durability, 'primary')
    await end(rig)
  })

  test('calls a fallback on a losable disk a journal when the archive has its entries', async () => {
    const { waiting, archiving } = scripted(['journal', 'local'])
    const rig = rigOf({ ...ephemeral, archiving })
    rig.primary.script = ['auth']
    assert.equal((await rig.work.run(async () => 1, write)).durability, 'journal-ephemeral')
    const answer = rig.work.run(async () => 1, { ...write, demand: 'journal' })
    await settle()
    waiting.pop()?.resolve()
    assert.equal((await answer).durability, 'journal')
    await refusal(
      rig.work.run(async () => assert.fail(), { ...write, demand: 'archived' }),
      'DURABILITY_UNMET',
    )
    await end(rig)
  })

  test('gives up after QUERY_TIMEOUT: the change is committed once, and the error names the store', async () => {
    const { archiving } = scripted(['archived'])
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    let ran = 0
    const work = async () => {
      ran += 1
    }
    const answer = refusal(rig.work.run(work, { ...write, rerun: 'always', demand: 'archived' }), 'ARCHIVE_UNCONFIRMED')
    await settle()
    await rig.clock.advance(4_999)
    assert.equal(rig.gate.admitted, 1)
    await rig.clock.advance(1)
    const error = await answer
    assert.deepEqual([ran, failedStore(error)?.shown], [1, 'local'])
    await end(rig)
  })

  test('passes on why the archive cannot confirm', async () => {
    const { waiting, archiving } = scripted(['archived'])
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    const answer = rig.work.transactional(async () => 1, { durability: 'archived' })
    await settle()
    waiting.pop()?.reject(new HoldfastError('ARCHIVE_UNCONFIRMED', { detail: 'Another process has taken over.' }))
    await refusal(answer, 'ARCHIVE_UNCONFIRMED')
    await end(rig)
  })

  test('is refused at once while rows are being restored, also where it has waited for the store', async () => {
    let refused: HoldfastError | null = null
    const { archiving } = scripted([], { refusal: () => refused })
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    rig.fallback.script = ['hangs']
    const waiting = [rig.work.run(async () => assert.fail(), write), rig.work.admit(new AbortController().signal)]
    await settle()
    refused = new HoldfastError('RESTORING', { retryAfterS: 1 })
    rig.work.refuseWaiting(refused)
    for (const one of waiting) await refusal(one, 'RESTORING')
    await refusal(
      rig.work.run(async () => assert.fail(), { kind: 'read', rerun: 'always' }),
      'RESTORING',
    )
    refused = null
    const answer = rig.work.run(async () => 1, write)
    rig.fallback.answer('works')
    assert.equal((await answer).value, 1)
    await end(rig)
  })
})

describe('a demand right after a start, before the archive has its first copy', () => {
  test('waits before anything is written, and is met then', async () => {
    const state = { canMeet: false, isPreparing: true }
    const { waiting, archiving } = scripted([], { canMeet: () => state.canMeet, isPreparing: () => state.isPreparing })
    const rig = rigOf({ declared: false, ...ephemeral, archiving })
    const written: string[] = []
    const work = rig.work.run(async () => written.push('row'), { ...write, demand: 'archived' })
    await settle()
    await rig.clock.advance(200)
    assert.deepEqual(written, [])
    Object.assign(state, { canMeet: true, isPreparing: false })
    await rig.clock.advance(50)
    await settle()
    assert.deepEqual(written, ['row'])
    waiting.pop()?.resolve()
    assert.equal((await work).durability, 'archived')
    await end(rig)
  })

  test('is refused, with nothing written, when that takes too long, or becomes hopeless', async () => {
    for (const change of [{}, { isPreparing: false }]) {
      const state = { isPreparing: true }
      const { archiving } = scripted([], { isPreparing: () => state.isPreparing })
      const rig = rigOf({ declared: false, ...ephemeral, archiving })
      const work = rig.work.run(async () => assert.fail('it was written'), { ...write, demand: 'archived' })
      const refused = refusal(work, 'DURABILITY_UNMET')
      await settle()
      Object.assign(state, change)
      for (let step = 0; step < 200; step += 1) await rig.clock.advance(50)
      await refused
      await end(rig)
    }
  })
})
