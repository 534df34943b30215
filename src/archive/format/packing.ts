import { createHash, webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
// Not by name: an older Node, which lacks them, is to be told in words that it is too old.
import * as zlib from 'node:zlib'

const compress = promisify(zlib.zstdCompress)
const decompress = promisify(zlib.zstdDecompress)

/** Up to here hashing takes less time than handing the bytes to another thread. */
const hashedHereMax = 32 * 1024

/** The SHA-256 of a few bytes in hex. */
export function shortSha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The SHA-256 of bytes in hex; of large ones in another thread. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (bytes.byteLength <= hashedHereMax) return shortSha256Hex(bytes)
  // WebCrypto's types leave out that a view of any buffer can be hashed.
  const digest = await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Buffer.from(digest).toString('hex')
}

/** Compressed by zstd, in another thread. */
export async function pack(bytes: Uint8Array): Promise<Uint8Array> {
  return await compress(bytes)
}

/** Undoes `pack`. Rejects for bytes that are not its result, and for more than `bytesMax`. */
export async function unpack(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return await decompress(bytes, { maxOutputLength: Math.max(1, bytesMax) })
}
