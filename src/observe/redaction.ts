import { maskAddress, passwordsOf } from '../config/mask.ts'
import { Secret, SecretAddress } from '../config/secret.ts'
import { findPlaceholder } from '../database/address/url-placeholder.ts'

/** Shorter values would black out half of every line, and protect nothing. */
const minLength = 4

/** Every secret in a tree of settings; cycles and foreign objects are no matter. */
export function secretsIn(tree: unknown, seen: Set<object> = new Set()): readonly Secret[] {
  if (tree instanceof Secret) return [tree]
  if (typeof tree !== 'object' || tree === null || seen.has(tree)) return []
  seen.add(tree)
  return Object.values(tree).flatMap((value) => secretsIn(value, seen))
}

/** The texts that must not be printed: of an address its password, of anything else the whole, in every spelling. */
export function forbiddenTexts(secrets: readonly Secret[]): readonly string[] {
  const spellings = secrets
    .flatMap(forbiddenValues)
    .flatMap((value) => [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value.toWellFormed()),
      Buffer.from(value).toString('base64'),
    ])
  // The longest first, so that a part of a secret does not tear it and leave the rest.
  return [...new Set(spellings)].filter((text) => text.length >= minLength).sort((a, b) => b.length - a.length)
}

function forbiddenValues(secret: Secret): readonly string[] {
  const value = secret.reveal()
  if (!(secret instanceof SecretAddress)) return [value, decoded(value)]
  // `${DATABASE_URL}` alone: what is to be said is that nobody filled it in.
  if (findPlaceholder(value.trim())?.part === 'address') return []
  const passwords = passwordsOf(value)
  // `sqlite:///./production.db` has nothing to hide. What has no scheme may be anything, pasted into the wrong place.
  if (passwords.length === 0 && /^[a-z][a-z0-9+.-]*:/i.test(value)) return []
  return [value, decoded(value), ...passwords]
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** The last line of defence: replaces each forbidden text in what is about to be printed. */
export function mask(text: string, forbidden: readonly string[]): string {
  let masked = text
  for (const secret of forbidden) if (masked.includes(secret)) masked = masked.replaceAll(secret, '***')
  return masked
}

/** Masks the passwords of addresses in free text, known or not: a driver's message may quote its whole address. */
export function maskAddresses(text: string): string {
  // No scheme is longer; without an end a long word in a message would be read from each of its letters.
  return text.replace(/[a-z][a-z0-9+.-]{0,63}:\/\/[^\s"'<>]+/gi, maskAddress)
}
