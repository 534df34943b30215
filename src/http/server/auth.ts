import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Secret } from '../../config/secret.ts'
import { HoldfastError } from '../../errors.ts'

const digests = new WeakMap<Secret, Buffer>()

/** True when the request carries the admin token, in `Authorization: Bearer` or in `Holdfast-Token`. */
export function isAdmin(req: IncomingMessage, token: Secret): boolean {
  const expected = digestOf(token)
  // Both are looked at: a private Space uses Authorization for a token of its own.
  return givenTokens(req).some((given) => timingSafeEqual(digest(Buffer.from(given, 'latin1')), expected))
}

/** Returns for the admin. Throws TOKEN_MISSING when no token was sent, TOKEN_INVALID when none of those sent is right. */
export function requireAdmin(req: IncomingMessage, token: Secret): void {
  if (isAdmin(req, token)) return
  throw new HoldfastError(givenTokens(req).length === 0 ? 'TOKEN_MISSING' : 'TOKEN_INVALID')
}

function givenTokens(req: IncomingMessage): readonly string[] {
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

/** Digests have one length, so comparing them tells nothing, not even how long the token is. */
function digest(value: Buffer): Buffer {
  return hash('sha256', value, 'buffer')
}
