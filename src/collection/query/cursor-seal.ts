import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import type { Secret } from '../../config/secret.ts'
import type { Collection } from '../declaration/declaration.ts'

const algorithm = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16
const keyBytes = 32

const secrets = new WeakMap<Collection, () => Secret>()
const keys = new WeakMap<Secret, Buffer>()

/** Of collections without a secret: their sealed cursors end with the process. */
const processKey = randomBytes(keyBytes)

/** The secret from which the sealed cursors of these collections are: replicas that share it read those of each other. */
export function sealCursors(collections: readonly Collection[], secret: () => Secret): void {
  for (const collection of collections) secrets.set(collection, secret)
}

/** The text, unreadable to the client. `bound`: what it belongs to. */
export function sealed(collection: Collection, bound: Buffer, text: Buffer): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(algorithm, keyOf(collection), iv).setAAD(bound)
  return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()])
}

/** The text that was sealed; null: it is not ours. */
export function unsealed(collection: Collection, bound: Buffer, given: Buffer): Buffer | null {
  if (given.length < ivBytes + tagBytes) return null
  const cipher = createDecipheriv(algorithm, keyOf(collection), given.subarray(0, ivBytes), { authTagLength: tagBytes })
  cipher.setAAD(bound).setAuthTag(given.subarray(-tagBytes))
  try {
    return Buffer.concat([cipher.update(given.subarray(ivBytes, -tagBytes)), cipher.final()])
  } catch {
    return null
  }
}

/** Slow to derive, once: a short secret is not to be guessed from a cursor. */
function keyOf(collection: Collection): Buffer {
  const secret = secrets.get(collection)?.()
  if (secret === undefined) return processKey
  const known = keys.get(secret)
  if (known !== undefined) return known
  const made = scryptSync(secret.reveal(), 'holdfast cursor', keyBytes)
  keys.set(secret, made)
  return made
}
