import { maskAddress } from '../config/mask.ts'
import type { Problem } from '../config/problem.ts'

/** Below this a password is no word to look for: every text holds an "a". Shorter ones are hidden by masking alone. */
const shortestToSeek = 3

/**
 * The problem without the address and its passwords. A driver is told to hold no secret in a problem; this makes a
 * foreign one's slip harmless.
 */
export function withoutSecrets(problem: Problem, address: string, passwords: readonly string[]): Problem {
  const hide = (text: string): string => {
    const masked = address === '' ? text : text.replaceAll(address, () => maskAddress(address))
    return [...passwordsOf(address), ...passwords]
      .filter((password) => password.length >= shortestToSeek)
      .flatMap((password) => [password, encodeURIComponent(wellFormed(password))])
      .reduce((hidden, password) => hidden.replaceAll(password, '***'), masked)
  }
  return {
    ...problem,
    part: problem.part === null ? null : hide(problem.part),
    message: hide(problem.message),
    suggestion: hide(problem.suggestion),
  }
}

/** Everything in an address that may be its password, as it stands there and decoded; longest first. */
export function passwordsOf(address: string): readonly string[] {
  const found: string[] = []
  const rest = address.replace(/^[^:/@]*:\/\//, '')
  const at = rest.lastIndexOf('@')
  const userinfo = at < 0 ? '' : rest.slice(0, at)
  const colon = userinfo.indexOf(':')
  if (colon >= 0) found.push(userinfo.slice(colon + 1))
  const first = rest.indexOf('@')
  if (colon >= 0 && first > colon) found.push(rest.slice(colon + 1, first))
  for (const match of address.matchAll(/[?&][\w.-]*(?:pass|pwd|secret|token|key)[\w.-]*=([^&]*)/gi)) {
    if (match[1] !== undefined) found.push(match[1])
  }
  return [...found, ...found.map(decoded)].filter((text) => text !== '').sort((a, b) => b.length - a.length)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray `%`: then it was not encoded.
    return text
  }
}

/** `encodeURIComponent` throws on half a surrogate pair. */
function wellFormed(text: string): string {
  return text.toWellFormed()
}
