import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { recordBytes } from '../../../src/archive/format/fields.ts'
import type { FormatError } from '../../../src/archive/format/format-error.ts'
import { readManifest } from '../../../src/archive/format/manifests.ts'
import {
  numberText,
  parseSegmentKey,
  parseSnapshotKey,
  partKey,
  segmentKey,
  snapshotFolder,
} from '../../../src/archive/format/names.ts'
import { sha256Hex, shortSha256Hex } from '../../../src/archive/format/packing.ts'
import { readSegmentHead, readSegmentPayload, sealSegment } from '../../../src/archive/format/segment.ts'

const key = segmentKey(7, null)
const generation = '0198c0de-0000-7000-8000-000000000000'
const head = {
  kind: 'pages',
  archive: 'a',
  lineage: 'l',
  store: 's',
  generation,
  number: 7,
  since: 1,
  previous: await sha256Hex(new Uint8Array([1])),
  isContiguous: true,
  isWhole: true,
  position: { salt: 12, frame: 3, isOdd: false, none: null, sum: 'ff' },
  at: '2026-11-28T20:00:00.000Z',
} as const

test('a segment is read as it was sealed, with pages and without', async () => {
  const payload = Buffer.concat([Buffer.alloc(100_000, 7), randomBytes(50_000)])
  const sealed = await sealSegment(head, payload)
  assert.ok(sealed.bytes.byteLength < 60_000, 'compressed')
  assert.equal(sealed.hash, await sha256Hex(sealed.bytes))
  assert.deepEqual(readSegmentHead(key, sealed.bytes), sealed.head)
  assert.deepEqual(await readSegmentPayload(key, sealed.bytes), payload)
  const open = await sealSegment({ ...head, kind: 'open', previous: null, position: null }, null)
  assert.deepEqual(readSegmentHead(key, open.bytes).position, null)
  assert.equal(await readSegmentPayload(key, open.bytes), null)
})

test('every altered byte of a segment is noticed, be it the last one: in its head, its payload, or by length', async () => {
  const payload = Buffer.alloc(2_000, 'rows')
  const { bytes, hash } = await sealSegment(head, payload)
  const line = bytes.indexOf(0x0a)
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const altered = Buffer.from(bytes)
    altered[at] = (altered[at] ?? 0) ^ 0x15
    assert.notEqual(await sha256Hex(altered), hash, 'the next segment names another hash')
    const read = readSegmentPayload(key, altered)
    if (at <= line) await assert.rejects(read, { fault: 'damaged', key }, `byte ${at} of the head`)
    // A frame of zstd has bits that mean nothing.
    else assert.deepEqual(await read.catch((error: FormatError) => error.fault === 'damaged' && payload), payload)
  }
  for (const length of [0, 1, 50, bytes.byteLength - 1]) {
    assert.throws(() => readSegmentHead(key, bytes.subarray(0, length)), { fault: 'damaged', key })
  }
})

test('a newer format is told from damage', async () => {
  const { bytes } = await sealSegment(head, null)
  const newer = Buffer.from(bytes).toString().replace('"format":1', '"format":2')
  const [json = ''] = newer.split(/ [0-9a-f]{64}\n/)
  for (const form of [`${json}\n`, `${json} ${shortSha256Hex(Buffer.from(json))}\n`]) {
    const read = (): unknown => readSegmentHead(key, Buffer.from(form))
    assert.throws(read, { fault: 'newer', message: /format 2, and this release reads 1/ })
  }
  assert.throws(() => readSegmentHead(key, Buffer.from(newer)), { fault: 'damaged' }, 'one digit is another one')
  const html = new TextEncoder().encode('<html>proxy</html>\n')
  assert.throws(() => readSegmentHead(key, html), { fault: 'damaged' })
})

test('a decompressed payload has at most the bytes of its head', async () => {
  const { bytes, head: sealed } = await sealSegment(head, Buffer.alloc(5_000_000))
  const json = JSON.stringify({ ...sealed, bytes: 1_000_000 })
  const line = Buffer.from(`${json} ${shortSha256Hex(Buffer.from(json))}\n`)
  const lying = Buffer.concat([line, bytes.subarray(bytes.indexOf(0x0a) + 1)])
  await assert.rejects(readSegmentPayload(key, lying), { fault: 'damaged', message: /cannot be decompressed/ })
})

test('names are read as they were made, and others are not theirs', () => {
  assert.deepEqual(parseSegmentKey(segmentKey(12, null)), { number: 12, generation: null })
  assert.deepEqual(parseSegmentKey(segmentKey(12, generation)), { number: 12, generation })
  assert.equal(parseSegmentKey('segments/12'), null)
  assert.equal(parseSegmentKey(`${segmentKey(12, null)}.tmp`), null)
  const folder = snapshotFolder(12, generation)
  assert.deepEqual(parseSnapshotKey(partKey(folder, 3)), { folder, number: 12, id: generation, file: 'part-00003' })
  assert.equal(parseSnapshotKey('snapshots/12-x/manifest.json'), null)
  assert.ok(numberText(9) < numberText(10))
})

test('a manifest without one of its fields is damaged, and the message names it', () => {
  const manifest = {
    ...{ format: 1, archive: 'a', lineage: 'l', store: 's', generation, id: 'i', number: 3, previous: null },
    ...{ position: null, at: '2026-11-28T20:00:00.000Z', bytes: 10 },
    parts: [{ bytes: 10, packedBytes: 5, hash: head.previous }],
    tables: [{ table: 'notes', rows: 2, hash: 'ab' }],
  }
  assert.deepEqual(readManifest('m', recordBytes(manifest)), manifest)
  for (const name of Object.keys(manifest)) {
    const { [name as keyof typeof manifest]: _, ...rest } = manifest
    assert.throws(
      () => readManifest('m', recordBytes(rest)),
      (error: Error) => error.message.includes(`"${name}"`),
      name,
    )
  }
  assert.throws(() => readManifest('m', recordBytes({ ...manifest, parts: [{ bytes: 1 }] })), { fault: 'damaged' })
})
