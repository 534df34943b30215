import { maskAddress } from '../config/mask.ts'
import { Secret } from '../config/secret.ts'

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
  const values = secrets.flatMap((secret) => secretParts(secret.reveal())).flatMap((value) => [value, decoded(value)])
  const spellings = values.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value.toWellFormed()),
    Buffer.from(value).toString('base64'),
  ])
  // The longest first, so that a part of a secret does not tear it and leave the rest.
  return [...new Set(spellings)].filter((text) => text.length >= minLength).sort((a, b) => b.length - a.length)
}

function secretParts(value: string): readonly string[] {
  if (!/^[^:/@]*:/.test(value)) return [value]
  // An address that masking leaves as it is has nothing to hide: `sqlite:///./production.db`.
  if (maskAddress(value) === value) return []
  const password = /^[^:/@]*?[a-z][a-z0-9+.-]*:\/\/[^:]*:([\s\S]*)@/i.exec(value)?.[1]
  const parameters = [...value.matchAll(/[?&][\w.-]*(?:pass|pwd|secret|token|key)[\w.-]*=([^&#]+)/gi)]
  return [value, ...(password === undefined ? [] : [password]), ...parameters.map((found) => found[1] ?? '')]
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
  return text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, maskAddress)
}
