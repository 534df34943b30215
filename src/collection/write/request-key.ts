import { createHash } from 'node:crypto'
import { type Caller, callerName } from '../access/caller.ts'

/** A request that its client may repeat: a repeat gets the first answer, and changes nothing. */
export interface RequestKey {
  /** Of its transaction, the same wherever and whenever it is carried out. */
  readonly attempt: string
  /** A hash of what it asks for: the same key with something else is a mistake. */
  readonly fingerprint: string
}

/** What a request with a key is. */
export interface KeyedRequest {
  readonly caller: Caller
  readonly method: string
  readonly path: string
  readonly key: string
  /** The rest of what it asks for: its query, its conditions, its body. */
  readonly asked: unknown
}

/** The key belongs to the caller, the method and the path: elsewhere it is another one. */
export function requestKeyOf({ caller, method, path, key, asked }: KeyedRequest): RequestKey {
  return {
    attempt: hashedId(['request', callerName(caller), method, path, key]),
    fingerprint: hash([asked]).toString('base64url'),
  }
}

/** The id of the row at this place of a request with a key: a repeat at another replica meets the same rows. */
export function keyedId({ attempt }: RequestKey, at: number): string {
  return hashedId(['row', attempt, at])
}

function hash(parts: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}

/** A UUIDv8: what its bits mean is ours. */
function hashedId(parts: readonly unknown[]): string {
  const bytes = hash(parts).subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
