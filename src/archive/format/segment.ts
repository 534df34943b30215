import { Fields } from './fields.ts'
import { FormatError } from './format-error.ts'
import { archiveFormat } from './names.ts'
import { pack, sha256Hex, shortSha256Hex, unpack } from './packing.ts'
import type { SegmentHead } from './records.ts'

/** Most bytes of the line with the head: a position has at most 1 KiB. */
const headBytesMax = 8 * 1024

/** Most bytes of a payload: eight MiB, and the last transaction of a cut. */
const payloadBytesMax = 64 * 1024 ** 2

const newLine = 0x0a

/** Behind the head's JSON: a space, and the SHA-256 of that JSON in hex. */
const headSumBytes = 65

/** A segment as an object: a line with its head as JSON and the hash of that, then its payload, compressed. */
export interface SealedSegment {
  readonly head: SegmentHead
  readonly bytes: Uint8Array
  /** The SHA-256 of `bytes` in hex; the head of the next segment has it. */
  readonly hash: string
}

/** Makes the object of a segment; `payload` is null where the segment has no pages. */
export async function sealSegment(
  head: Omit<SegmentHead, 'format' | 'bytes' | 'packedBytes' | 'hash'>,
  payload: Uint8Array | null,
): Promise<SealedSegment> {
  const plain = payload ?? new Uint8Array()
  const [packed, hash] = await Promise.all([payload === null ? plain : pack(plain), sha256Hex(plain)])
  const whole: SegmentHead = {
    format: archiveFormat,
    ...head,
    bytes: plain.byteLength,
    packedBytes: packed.byteLength,
    hash,
  }
  const json = JSON.stringify(whole)
  const line = Buffer.from(`${json} ${shortSha256Hex(Buffer.from(json))}\n`)
  if (line.byteLength > headBytesMax) throw new Error('The head of a segment is too large.')
  const bytes = Buffer.concat([line, packed])
  return { head: whole, bytes, hash: await sha256Hex(bytes) }
}

/** Reads the head of a segment's object, verified by its hash, and checks that all bytes are there. Throws a FormatError. */
export function readSegmentHead(key: string, bytes: Uint8Array): SegmentHead {
  const line = lineOf(key, bytes)
  const head = parseHead(headFields(key, line))
  if (bytes.byteLength !== line.byteLength + 1 + head.packedBytes)
    throw new FormatError(
      'damaged',
      key,
      `has ${bytes.byteLength} bytes, not the ${line.byteLength + 1 + head.packedBytes} of its head`,
    )
  if (head.bytes > payloadBytesMax) throw new FormatError('damaged', key, 'is too large for a segment')
  return head
}

/** The payload of a segment's object, verified by its hash; null where it has none. Rejects with a FormatError. */
export async function readSegmentPayload(key: string, bytes: Uint8Array): Promise<Uint8Array | null> {
  const head = readSegmentHead(key, bytes)
  if (head.kind !== 'pages') return null
  const packed = bytes.subarray(lineOf(key, bytes).byteLength + 1)
  let payload: Uint8Array
  try {
    payload = await unpack(packed, head.bytes)
  } catch (error) {
    throw new FormatError('damaged', key, 'cannot be decompressed', error)
  }
  if (payload.byteLength !== head.bytes || (await sha256Hex(payload)) !== head.hash)
    throw new FormatError('damaged', key, 'does not have the content that its hash names')
  return payload
}

function lineOf(key: string, bytes: Uint8Array): Uint8Array {
  const end = bytes.subarray(0, headBytesMax).indexOf(newLine)
  if (end < 0) throw new FormatError('damaged', key, 'has no head')
  return bytes.subarray(0, end)
}

/** No later segment names the hash of the last one: its head has one of its own. */
function headFields(key: string, line: Uint8Array): Fields {
  const [, json, sum] = /^(.*) ([0-9a-f]{64})$/.exec(Buffer.from(line).toString()) ?? []
  // A newer format may have another form.
  if (json === undefined) Fields.parse(key, line)
  const bytes = line.subarray(0, -headSumBytes)
  if (json === undefined || shortSha256Hex(bytes) !== sum)
    throw new FormatError('damaged', key, 'does not have the head that its hash names')
  return Fields.parse(key, bytes)
}

function parseHead(fields: Fields): SegmentHead {
  return {
    format: fields.count('format'),
    kind: fields.word('kind', ['open', 'pages', 'gap']),
    archive: fields.text('archive'),
    lineage: fields.text('lineage'),
    store: fields.text('store'),
    generation: fields.text('generation'),
    number: fields.count('number'),
    since: fields.count('since'),
    previous: fields.hashOrNull('previous'),
    isContiguous: fields.flag('isContiguous'),
    isWhole: fields.flag('isWhole'),
    position: fields.plainOrNull('position'),
    at: fields.time('at'),
    bytes: fields.count('bytes'),
    packedBytes: fields.count('packedBytes'),
    hash: fields.hash('hash'),
  }
}
