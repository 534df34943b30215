import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Caller } from '../../collection/access/caller.ts'
import { type ApiToken, expiryOf } from '../../config/schema/api-token.ts'
import { tokenDigest } from './admin.ts'

const prefix = 'hfst_'
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Base62 digits of 32 bytes, and of a checksum of 32 bits. */
const randomLength = 43
const checksumLength = 6
const randomByteCount = 32

/** A fresh API token: 256 random bits, and a checksum by which scanners tell a token from other text. */
export function drawApiToken(): string {
  const random = base62(BigInt(`0x${randomBytes(randomByteCount).toString('hex')}`), randomLength)
  return `${prefix}${random}${checksumOf(random)}`
}

/** True for text that is an API token by its form, whoever made it. */
export function isApiToken(text: string): boolean {
  return text.startsWith(prefix)
}

/** What the settings hold of a token, in hex. */
export function apiTokenSha256(token: string): string {
  return tokenDigest(token).toString('hex')
}

/** The API tokens of the settings, by their digest. */
export class ApiTokens {
  readonly #known: ReadonlyMap<string, { readonly caller: Caller; readonly expiresAt: number | null }>

  constructor(tokens: readonly ApiToken[]) {
    this.#known = new Map(
      tokens.map(({ name, sha256, scopes, expires }) => [
        sha256.toLowerCase(),
        { caller: { is: 'token', name, scopes }, expiresAt: expires === undefined ? null : expiryOf(expires) },
      ]),
    )
  }

  /**
   * The caller with this token; `expired`, or null for an unknown one. Looked up by the digest: how long that takes says
   * nothing about a token that no one can guess a digest of.
   */
  find(given: string, nowMs: number): Caller | 'expired' | null {
    const found = this.#known.get(apiTokenSha256(given))
    if (found === undefined) return null
    return found.expiresAt !== null && found.expiresAt <= nowMs ? 'expired' : found.caller
  }
}

function checksumOf(random: string): string {
  return base62(BigInt(crc32(random)), checksumLength)
}

function base62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n) text = (digits[Number(rest % 62n)] ?? '') + text
  return text
}
