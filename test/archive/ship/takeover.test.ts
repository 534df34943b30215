import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { recordBytes } from '../../../src/archive/format/fields.ts'
import { manifestKey, parseSegmentKey, rootKey, segmentKey, snapshotFolder } from '../../../src/archive/format/names.ts'
import type { SegmentHead } from '../../../src/archive/format/records.ts'
import { readSegmentHead, type SealedSegment, sealSegment } from '../../../src/archive/format/segment.ts'
import { readInventory } from '../../../src/archive/restore/inventory.ts'
import { readChainEnd } from '../../../src/archive/ship/chain.ts'
import { Spool } from '../../../src/archive/ship/spool.ts'
import { readShipState } from '../../../src/archive/ship/state-file.ts'
import { takeOver } from '../../../src/archive/ship/takeover.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { makeTempDir } from '../../support/temp.ts'

const generation = '0198c0de-0000-7000-8000-000000000001'
const root = { format: 1, archive: 'a', store: 's', madeAt: '2026-11-28T20:00:00.000Z' }

test('where nothing was ever archived there is nothing to take over, and nothing is written', async (t) => {
  const { target, options } = await prepare(t)
  assert.equal(await takeOver(options), null)
  assert.deepEqual(target.keys(), [])
})

test('a takeover puts an open segment behind the last one, so that the one before meets a taken number', async (t) => {
  const { target, options, folder } = await prepare(t)
  const [, last] = await putChain(target, 2)
  const head = await takeOver(options)
  assert.ok(head)
  assert.deepEqual([head.number, head.lineage, head.store, head.isFencing], [3, 'l', 's', true])
  const open = headAt(target, 3)
  assert.deepEqual([open.kind, open.previous, open.isContiguous, open.since], ['open', last?.hash, true, 1])
  assert.equal(await target.putNew(segmentKey(3, null), new Uint8Array([1])), 'exists')
  const state = await readShipState(folder)
  assert.deepEqual([state?.number, state?.hash, state?.generation], [3, head.hash, head.generation])
  assert.ok(state?.isBroken, 'until the file is rebuilt it does not follow this segment')
})

test('two takeovers at once get numbers of their own, one behind the other', async (t) => {
  const { target, options } = await prepare(t)
  await putChain(target, 2)
  const other = await makeTempDir(t)
  const heads = await Promise.all([takeOver(options), takeOver({ ...options, folder: other })])
  assert.deepEqual(heads.map((head) => head?.number).sort(), [3, 4])
  assert.equal(headAt(target, 4).previous, heads.find((head) => head?.number === 3)?.hash)
})

test('a put whose answer was lost was a put all the same', async (t) => {
  const { target, options } = await prepare(t)
  await putChain(target, 1)
  let lost = 0
  // As a target does that tries again by itself: the second try finds what the first one has stored.
  target.after = ({ method, key }) => {
    if (method === 'putNew' && key === segmentKey(2, null)) lost += 1
  }
  const putNew = target.putNew.bind(target)
  target.putNew = async (key, body) => {
    await putNew(key, body)
    return await putNew(key, body)
  }
  const head = await takeOver(options)
  assert.equal(head?.number, 2)
  assert.equal(lost, 2)
  assert.deepEqual(target.keys('segments/').length, 2)
})

test('what a dead process left in the spool is put before the takeover, in order, and the spool is empty then', async (t) => {
  const { target, options, folder } = await prepare(t)
  const chain = await makeChain(4)
  await put(target, chain.slice(0, 2))
  // The second one is stored already: the process died before it removed it here.
  await spool(folder, chain.slice(1))
  const head = await takeOver(options)
  assert.equal(head?.number, 5)
  assert.equal(headAt(target, 5).previous, chain[3]?.hash)
  assert.deepEqual(target.objects.get(segmentKey(4, null)), chain[3]?.bytes)
  assert.deepEqual(await new Spool(folder).open(), [])
})

test('what the spool has is not put where another process has gone on, or where its predecessor is missing', async (t) => {
  for (const stored of [[0, 1], [0]]) {
    const { target, options, folder } = await prepare(t)
    const chain = await makeChain(4)
    await put(target, chain.slice(0, 2))
    if (stored.length === 2) {
      const other = await segment(3, chain[1]?.hash ?? null, { generation: generation.replace('1', '2') })
      await put(target, [other])
    } else target.objects.delete(segmentKey(2, null))
    const before = target.keys('segments/').length
    await spool(folder, chain.slice(2))
    const head = await takeOver(options)
    assert.equal(head?.number, before + 1)
    assert.equal(target.keys('segments/').length, before + 1, 'its own open segment only')
  }
})

test('a damaged last segment is followed all the same, with the lineage of the one before', async (t) => {
  const { target, options } = await prepare(t)
  await putChain(target, 3)
  target.objects.set(segmentKey(3, null), new Uint8Array([1, 2, 3]))
  const head = await takeOver(options)
  assert.deepEqual([head?.number, head?.lineage], [4, 'l'])
})

test('a damaged object with a number far ahead hides no lineage', async (t) => {
  const { target, options } = await prepare(t)
  await putChain(target, 3)
  target.objects.set(segmentKey(900, null), new Uint8Array([1, 2, 3]))
  // No number of a sequence: nothing could follow it.
  target.objects.set('segments/999999999999', new Uint8Array([1, 2, 3]))
  const head = await takeOver(options)
  assert.deepEqual([head?.number, head?.lineage], [901, 'l'])
})

test('where the root record is missing or damaged, the oldest snapshot says whose archive it is', async (t) => {
  for (const bytes of [null, new Uint8Array(), new Uint8Array([1])]) {
    const { target, options } = await prepare(t)
    await putChain(target, 3)
    const folder = snapshotFolder(1, generation)
    target.objects.set(manifestKey(snapshotFolder(2, generation)), recordBytes({ ...manifest, store: 'later' }))
    target.objects.set(manifestKey(folder), recordBytes(manifest))
    if (bytes === null) target.objects.delete(rootKey)
    else target.objects.set(rootKey, bytes)
    const inventory = await readInventory(target, AbortSignal.timeout(60_000))
    assert.deepEqual([inventory?.root, inventory?.damaged.map(({ key }) => key)], [root, [rootKey]])
    const head = await takeOver(options)
    assert.deepEqual([head?.root, head?.number], [root, 4])
    if (bytes === null) assert.deepEqual(target.objects.get(rootKey), Buffer.from(recordBytes(root)))
  }
})

test('an archive of a newer format is not taken over, and nothing is written', async (t) => {
  const { target, options } = await prepare(t)
  await putChain(target, 1)
  target.objects.set(rootKey, recordBytes({ ...root, format: 2 }))
  const before = target.keys()
  await assert.rejects(takeOver(options), { fault: 'newer' })
  target.objects.set(rootKey, recordBytes(root))
  const newer = Buffer.from(target.objects.get(segmentKey(1, null)) ?? []).toString('latin1')
  const changed = newer.replace('"format":1', '"format":2').replace(/ [0-9a-f]{64}\n/, '\n')
  target.objects.set(segmentKey(1, null), Buffer.from(changed, 'latin1'))
  await assert.rejects(takeOver(options), { fault: 'newer' })
  assert.deepEqual(target.keys(), before)
})

test('without put-if-absent a takeover has names of its own, and follows nothing', async (t) => {
  const { target, options } = await prepare(t)
  await putChain(target, 2)
  target.isHonouring = false
  const head = await takeOver(options)
  assert.deepEqual([head?.isFencing, head?.number], [false, 3])
  const key = target.keys('segments/').find((one) => parseSegmentKey(one)?.generation === head?.generation)
  assert.ok(key)
  const open = readSegmentHead(key, target.objects.get(key) ?? new Uint8Array())
  assert.deepEqual([open.isContiguous, open.previous, open.since], [false, null, 3])
})

test('the end of a long chain is found in few requests, from a snapshot or from the start, with segments removed before', async (t) => {
  const { target } = await prepare(t)
  target.pageSize = 50
  const sealed = await segment(1, null)
  for (const first of [1, 4_000]) {
    for (const count of [1, 2, 49, 50, 51, 1_023, 1_024, 1_025, 3_000, 9_001]) {
      target.objects.clear()
      target.objects.set(rootKey, recordBytes(root))
      for (let at = 0; at < count; at += 1) target.objects.set(segmentKey(first + at, null), sealed.bytes)
      if (first > 1) target.objects.set(manifestKey(snapshotFolder(first, generation)), new Uint8Array([1]))
      target.requests.length = 0
      const end = await readChainEnd(target, true)
      assert.equal(end?.number, first + count - 1, `${count} from ${first}`)
      assert.ok(target.requests.length < 45, `${target.requests.length} requests for ${count}`)
    }
  }
})

const manifest = {
  ...{ format: 1, archive: 'a', lineage: 'l', store: 's', generation, id: generation, number: 1, previous: null },
  ...{ position: null, at: root.madeAt, bytes: 0, parts: [], tables: [] },
}

async function prepare(t: TestContext) {
  const folder = join(await makeTempDir(t), 'holdfast.db.archive')
  const target = new MemoryTarget()
  return { target, folder, options: { target, folder, wallMs: () => Date.parse(root.madeAt) } }
}

async function segment(
  number: number,
  previous: string | null,
  other: Partial<SegmentHead> = {},
): Promise<SealedSegment> {
  return await sealSegment(
    {
      ...{ kind: 'pages', archive: 'a', lineage: 'l', store: 's', generation, number, since: 1, previous },
      ...{ isContiguous: true, isWhole: true, position: { at: number }, at: root.madeAt },
      ...other,
    },
    new Uint8Array([number]),
  )
}

async function makeChain(count: number): Promise<readonly SealedSegment[]> {
  const chain: SealedSegment[] = []
  for (let number = 1; number <= count; number += 1) chain.push(await segment(number, chain.at(-1)?.hash ?? null))
  return chain
}

async function put(target: MemoryTarget, chain: readonly SealedSegment[]): Promise<void> {
  target.objects.set(rootKey, recordBytes(root))
  for (const { head, bytes } of chain) target.objects.set(segmentKey(head.number, null), bytes)
}

async function putChain(target: MemoryTarget, count: number): Promise<readonly SealedSegment[]> {
  const chain = await makeChain(count)
  await put(target, chain)
  return chain
}

async function spool(folder: string, chain: readonly SealedSegment[]): Promise<void> {
  const made = new Spool(folder)
  await made.open()
  for (const { head, bytes } of chain) await made.write(head.number, bytes)
}

function headAt(target: MemoryTarget, number: number): SegmentHead {
  const key = segmentKey(number, null)
  return readSegmentHead(key, target.objects.get(key) ?? new Uint8Array())
}
