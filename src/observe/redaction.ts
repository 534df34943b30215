import { decoded, holdsCredentials, maskAddress, passwordsOf } from '../config/mask.ts'
import { Secret, SecretAddress } from '../config/secret.ts'
import { findPlaceholder } from '../database/address/placeholder.ts'

/** Masking shorter values would hide half of every line and protect nothing. */
const minLength = 4

/** Every secret in a tree of settings, and every text that holds an address with credentials. Cycles and foreign objects are allowed. */
export function secretsIn(tree: unknown, seen: Set<object> = new Set()): readonly Secret[] {
  if (tree instanceof Secret) return [tree]
  if (holdsCredentials(tree) && typeof tree === 'string') return [new SecretAddress(tree)]
  if (typeof tree !== 'object' || tree === null || seen.has(tree)) return []
  seen.add(tree)
  return Object.values(tree).flatMap((value) => secretsIn(value, seen))
}

/** The texts to mask, in every encoding: the password of an address, the whole of anything else. */
export function forbiddenTexts(secrets: readonly Secret[]): readonly string[] {
  const spellings = secrets
    .flatMap(forbiddenValues)
    .flatMap((value) => [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value.toWellFormed()),
      Buffer.from(value).toString('base64'),
    ])
  // Longest first: masking a part of a secret first would leave the rest.
  return [...new Set(spellings)].filter((text) => text.length >= minLength).sort((a, b) => b.length - a.length)
}

function forbiddenValues(secret: Secret): readonly string[] {
  const value = secret.reveal()
  if (!(secret instanceof SecretAddress)) return [value, decoded(value)]
  // An unexpanded `${DATABASE_URL}` must stay readable: that is the problem to report.
  if (findPlaceholder(value.trim())?.part === 'address') return []
  const passwords = passwordsOf(value)
  // `sqlite:///./production.db` holds no secret. A value without a scheme may be anything, pasted into the wrong setting.
  if (passwords.length === 0 && /^[a-z][a-z0-9+.-]*:/i.test(value)) return []
  return [value, decoded(value), ...passwords]
}

/** The last line of defense: replaces each forbidden text in a line before it is printed. */
export function mask(text: string, forbidden: readonly string[]): string {
  let masked = text
  for (const secret of forbidden) if (masked.includes(secret)) masked = masked.replaceAll(secret, '***')
  return masked
}

/** Masks passwords of addresses in free text: a driver's message may quote the whole address. */
export function maskAddresses(text: string): string {
  // The bound keeps the search linear: without it a long word would be scanned again from each letter.
  return text.replace(/[a-z][a-z0-9+.-]{0,63}:\/\/[^\s"'<>]+/gi, maskAddress)
}
