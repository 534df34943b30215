import { hash } from 'node:crypto'

/** Two numbers of 32 bits. */
export interface RowMark {
  readonly high: number
  readonly low: number
}

/**
 * The mark of a row for digests: the first eight bytes of the SHA-256 of `<key> <version>`, as two big-endian numbers. A
 * primary computes the same in SQL. Sums of them over a set of rows do not depend on their order.
 */
export function markOf(key: string, version: string): RowMark {
  const digest = hash('sha256', `${key} ${version}`, 'buffer')
  return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) }
}
