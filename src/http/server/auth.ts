import crypto, { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Secret } from '../../config/secret.ts'
import { HoldfastError } from '../../errors.ts'

const digests = new WeakMap<Secret, Buffer>()

/** True if the request carries the admin token, in `Authorization: Bearer` or in `Holdfast-Token`. */
export function isAdmin(req: IncomingMessage, token: Secret): boolean {
  const expected = digestOf(token)
  // Checks both headers: a private Space uses Authorization for its own token.
  return tokensIn(req).some((given) => timingSafeEqual(digest(Buffer.from(given, 'latin1')), expected))
}

/** Returns for the admin. Throws TOKEN_MISSING without a token, TOKEN_INVALID if no token matches. */
export function requireAdmin(req: IncomingMessage, token: Secret): void {
  if (isAdmin(req, token)) return
  throw new HoldfastError(tokensIn(req).length === 0 ? 'TOKEN_MISSING' : 'TOKEN_INVALID')
}

function tokensIn(req: IncomingMessage): readonly string[] {
  const bearer = /^Bearer +(.+)$/i.exec(req.headers.authorization ?? '')?.[1]
  const own = req.headers['holdfast-token']
  return [bearer, typeof own === 'string' ? own : undefined]
    .map((given) => given?.trim())
    .filter((given): given is string => given !== undefined && given !== '')
}

function digestOf(token: Secret): Buffer {
  const known = digests.get(token)
  if (known !== undefined) return known
  const made = digest(Buffer.from(token.reveal(), 'utf8'))
  digests.set(token, made)
  return made
}

/** Digests have equal lengths, so comparing them does not reveal the token's length. */
function digest(value: Buffer): Buffer {
  return crypto.hash('sha256', value, 'buffer')
}
