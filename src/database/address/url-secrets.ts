import { maskAddress, passwordsOf } from '../../config/mask.ts'
import type { Problem } from '../../config/problem.ts'

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
      .flatMap((password) => [password, encodeURIComponent(password.toWellFormed())])
      .reduce((hidden, password) => hidden.replaceAll(password, '***'), masked)
  }
  return {
    ...problem,
    part: problem.part === null ? null : hide(problem.part),
    message: hide(problem.message),
    suggestion: hide(problem.suggestion),
  }
}
