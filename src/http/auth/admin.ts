import crypto, { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Secret } from '../../config/secret.ts'
import { HoldfastError } from '../../errors.ts'
import { nameCaller } from '../server/caller-name.ts'
import { sentTokens } from './sent-tokens.ts'

const digests = new WeakMap<Secret, Buffer>()

const adminHint =
  'Send "Authorization: Bearer <ADMIN_TOKEN>". If a proxy uses that header, send "Holdfast-Token: <ADMIN_TOKEN>". If ADMIN_TOKEN is not set, use the token in the file that the startup log names.'

/** True if the request carries the admin token, in either header. */
export function isAdmin(req: IncomingMessage, token: Secret): boolean {
  return sentTokens(req).some((given) => isAdminToken(given, token))
}

/** Returns for the admin. Throws TOKEN_MISSING without a token, TOKEN_INVALID if none is the admin's. */
export function requireAdmin(req: IncomingMessage, token: Secret): void {
  if (isAdmin(req, token)) {
    nameCaller(req, 'admin')
    return
  }
  if (sentTokens(req).length === 0) {
    throw new HoldfastError('TOKEN_MISSING', { detail: 'This is for the admin.', hint: adminHint })
  }
  throw new HoldfastError('TOKEN_INVALID', { detail: 'The token is not the admin token.', hint: adminHint })
}

/** True for the admin token. Takes as long for every other text. */
export function isAdminToken(given: string, token: Secret): boolean {
  return timingSafeEqual(tokenDigest(given), digestOf(token))
}

/** SHA-256 of the bytes that were sent: Node hands over headers as Latin-1. */
export function tokenDigest(given: string): Buffer {
  return crypto.hash('sha256', Buffer.from(given, 'latin1'), 'buffer')
}

/** Digests have equal lengths, so comparing them does not reveal the token's length. */
function digestOf(token: Secret): Buffer {
  const known = digests.get(token)
  if (known !== undefined) return known
  const made = crypto.hash('sha256', Buffer.from(token.reveal(), 'utf8'), 'buffer')
  digests.set(token, made)
  return made
}
