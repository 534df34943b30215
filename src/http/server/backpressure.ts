import type { ServerResponse } from 'node:http'
import { HoldfastError } from '../../errors.ts'

/** Answers that wait for their readers may hold so much memory in this process before further reads are refused. */
const maxUnsentBytes = 64 * 1024 * 1024

const retryAfterS = 1

/** A property of the response, as a map would cost the collector an entry per request. */
const owedKey: unique symbol = Symbol('owed')

interface Owing extends ServerResponse {
  [owedKey]?: number
}

let unsentBytes = 0

/** Says that the end of this answer will be told to `settle`. Before that its bytes are not counted. */
export function watch(res: Owing): void {
  res[owedKey] = 0
}

/** Ends an answer of `bytes` bytes, which are owed until `settle`. */
export function endWith(res: Owing, text: string, bytes: number): void {
  const owed = res[owedKey]
  if (owed !== undefined) {
    res[owedKey] = owed + bytes
    unsentBytes += bytes
  }
  res.end(text)
}

/** The answer is out, or given up. */
export function settle(res: Owing): void {
  unsentBytes -= res[owedKey] ?? 0
  res[owedKey] = 0
}

/** The bytes of an answer that is complete here and not yet out; 0 for all others. */
export function owedBytes(res: Owing): number {
  return res[owedKey] ?? 0
}

/** Throws OVERLOADED when `bytes` more could be too many. One answer alone never is. */
export function checkUnsent(bytes: number): void {
  if (unsentBytes > 0 && unsentBytes + bytes > maxUnsentBytes) {
    throw new HoldfastError('OVERLOADED', { retryAfterS, detail: 'Too many answers wait for their readers.' })
  }
}
