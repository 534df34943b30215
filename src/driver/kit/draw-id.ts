import { randomFillSync } from 'node:crypto'
import { v5 as uuidv5, v7 as uuidv7 } from 'uuid'

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
  return uuidv7({ random, msecs: lastMs, seq: sequence })
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

/** A UUIDv7 of that time, in milliseconds since 1970, before which no other of that time sorts. */
export function idOfTime(timeMs: number): string {
  const hex = Math.max(0, Math.floor(timeMs)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

/** A random UUID: no other software derives ids from it. */
const namespace = '6b1f0a5e-3c0d-4b8a-9d52-7f1e2ac4c9d3'

/** The same id for the same parts, wherever it is made. */
export function derivedId(...parts: readonly string[]): string {
  return uuidv5(JSON.stringify(parts), namespace)
}
