import { randomFillSync } from 'node:crypto'

/** Random bytes for many ids at once: a system call per id would take as long as the rest of making it. */
const pool = new Uint8Array(4_096)
let poolUsed = pool.length
const random = new Uint8Array(16)
let lastMs = Number.NEGATIVE_INFINITY
let sequence = 0

/** A new id of an attempt, a row or a local transaction: UUIDv7, so that ids sort by time, and in their order within a millisecond. */
export function drawId(): string {
  fillRandom()
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    // 31 random bits leave two thousand million ids for this millisecond.
    sequence = new DataView(random.buffer).getUint32(0) >>> 1
  } else {
    sequence = (sequence + 1) >>> 0
  }
  return uuidv7(lastMs, sequence)
}

/** By hand: a driver loads no package before it is used. RFC 9562: time, then the sequence, then `random`. */
function uuidv7(milliseconds: number, sequenceNumber: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
  const time = hex(milliseconds, 12)
  const high = hex(0x7000 | (sequenceNumber >>> 20), 4)
  const middle = hex(0x8000 | ((sequenceNumber >>> 6) & 0x3fff), 4)
  random[10] = ((sequenceNumber << 2) & 0xfc) | ((random[10] ?? 0) & 0x03)
  const rest = Buffer.from(random.buffer, 10, 6).toString('hex')
  return `${time.slice(0, 8)}-${time.slice(8)}-${high}-${middle}-${rest}`
}

/** Fills `random` with bytes that no other id has. */
function fillRandom(): void {
  if (poolUsed === pool.length) {
    randomFillSync(pool)
    poolUsed = 0
  }
  for (let at = 0; at < random.length; at += 1) random[at] = pool[poolUsed + at] ?? 0
  poolUsed += random.length
}
