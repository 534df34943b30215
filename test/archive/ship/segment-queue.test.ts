import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { type SegmentDraft, SegmentQueue } from '../../../src/archive/ship/segment-queue.ts'
import { Spool } from '../../../src/archive/ship/spool.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { makeTempDir } from '../../support/temp.ts'
import { heads } from './rig.ts'

const root = { format: 1, archive: 'archive-1', store: 'store-1', madeAt: '2026-01-01T00:00:00.000Z' }
const identity = { root, isFencing: true, generation: 'g', lineage: 'l', store: 'store-1', since: 1 }

function draft(kind: 'pages' | 'gap'): SegmentDraft {
  const payload = kind === 'gap' ? null : new Uint8Array([1])
  return { kind, isContiguous: kind === 'pages', isWhole: true, position: null, at: root.madeAt, payload, oldestMs: 0 }
}

/** Stops each reading until it is told to go on. */
class SlowSpool extends Spool {
  readonly going: PromiseWithResolvers<void> = Promise.withResolvers<void>()

  override async read(number: number): Promise<Uint8Array | null> {
    const bytes = await super.read(number)
    await this.going.promise
    return bytes
  }
}

test('a segment that is on its way from the disk is not dropped, so that what follows it has another number', async (t) => {
  const target = new MemoryTarget()
  const spool = new SlowSpool(join(await makeTempDir(t, 'queue'), 'spool'))
  await spool.open()
  const queue = new SegmentQueue(target, spool, identity, { number: 0, hash: null, position: null })
  const { signal } = new AbortController()
  for (const _one of [1, 2, 3]) await queue.add(draft('pages'))
  assert.equal((await queue.ship(signal))?.is, 'stored')
  const shipping = queue.ship(signal)
  await queue.drop()
  await queue.add(draft('gap'))
  spool.going.resolve()
  assert.deepEqual((await shipping)?.is, 'stored')
  assert.equal((await queue.ship(signal))?.is, 'stored')
  assert.deepEqual(
    heads(target).map(({ number, kind }) => `${number} ${kind}`),
    ['1 pages', '2 pages', '3 gap'],
  )
})
