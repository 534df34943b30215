/** Pages of a file as they are after some changes. */
export interface PageSet {
  readonly pageSize: number
  /** Size of the file in pages behind these changes; 0: they end within a transaction. */
  readonly pages: number
  /** By page number, ascending. */
  readonly numbers: readonly number[]
  /** The contents in that order. */
  readonly contents: readonly Uint8Array[]
}

/** The first bytes of every payload: what it is, and its form. */
const mark = Buffer.from('HFP1')
const headBytes = 16

/** Bytes that a page takes in a payload, next to its own. */
export const pageHeadBytes = 4

/** The payload of a cut: mark, page size, size of the file, count, the numbers, the contents; all big-endian. */
export function encodePages({ pageSize, pages, numbers, contents }: PageSet): Buffer {
  const payload = Buffer.allocUnsafe(headBytes + numbers.length * (pageHeadBytes + pageSize))
  mark.copy(payload)
  payload.writeUInt32BE(pageSize, 4)
  payload.writeUInt32BE(pages, 8)
  payload.writeUInt32BE(numbers.length, 12)
  let at = headBytes
  for (const number of numbers) at = payload.writeUInt32BE(number, at)
  for (const content of contents) {
    payload.set(content, at)
    at += pageSize
  }
  return payload
}

/** A run of pages that follow each other. */
export interface PageRun {
  /** Where the run begins in the file, in bytes. */
  readonly at: number
  readonly bytes: Uint8Array
}

/** A payload as it is written into a file. */
export interface DecodedPages {
  readonly pageSize: number
  readonly pages: number
  readonly runs: readonly PageRun[]
}

/** @throws Error for what is not a payload of this form. */
export function decodePages(payload: Uint8Array): DecodedPages {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (bytes.length < headBytes || !bytes.subarray(0, mark.length).equals(mark)) throw new Error('Not a set of pages.')
  const pageSize = bytes.readUInt32BE(4)
  const pages = bytes.readUInt32BE(8)
  const count = bytes.readUInt32BE(12)
  if (!isPageSize(pageSize)) throw new Error(`A page size of ${pageSize} bytes is not valid.`)
  if (bytes.length !== headBytes + count * (pageHeadBytes + pageSize)) throw new Error('A set of pages is cut short.')
  return { pageSize, pages, runs: runsOf(bytes, pageSize, pages, count) }
}

function runsOf(bytes: Buffer, pageSize: number, pages: number, count: number): readonly PageRun[] {
  const runs: PageRun[] = []
  const start = headBytes + count * pageHeadBytes
  const numberAt = (index: number): number => bytes.readUInt32BE(headBytes + index * pageHeadBytes)
  for (let first = 0; first < count; ) {
    const number = numberAt(first)
    let next = first + 1
    while (next < count && numberAt(next) === number + next - first) next += 1
    const last = number + next - first - 1
    const isOrdered = first === 0 || number > numberAt(first - 1)
    if (number < 1 || !isOrdered || (pages > 0 && last > pages)) throw new Error('The pages of a set are not in order.')
    runs.push({ at: (number - 1) * pageSize, bytes: bytes.subarray(start + first * pageSize, start + next * pageSize) })
    first = next
  }
  return runs
}

/** A power of two from 512 to 65,536. */
export function isPageSize(size: number): boolean {
  return size >= 512 && size <= 65_536 && (size & (size - 1)) === 0
}
