import { nearest } from './nearest.ts'
import type { Problem } from './problem.ts'

/** Names that people use for a setting of ours and that are not near enough to it to be found by their letters. */
const otherNames: Readonly<Record<string, string>> = {
  DATABASE_USER: 'DATABASE_USERNAME',
  DATABASE_PASS: 'DATABASE_PASSWORD',
  DATABASE_DB: 'DATABASE_NAME',
  DATABASE_FALLBACK_URL: 'FALLBACK_DATABASE_URL',
  FALLBACK_ENABLED: 'ENABLE_FALLBACK',
}

/** Shorter names have neighbours that mean something else. */
const nameMinLength = 6
const reportsMax = 20

/**
 * Variables that are nearly a name of ours. Others cannot be judged: the environment is shared with everybody.
 * The values are not looked at.
 */
export function misspeltNames(present: readonly string[], ours: readonly string[]): Problem[] {
  const known = new Set(ours)
  const set = new Set(present)
  const candidates = ours.filter((name) => name.length >= nameMinLength && !set.has(name))
  const reports: Problem[] = []
  for (const name of present) {
    if (known.has(name) || name.length < nameMinLength || name.length > 80 || reports.length >= reportsMax) continue
    // Two letters, where a settings file of ours is granted three: this namespace is shared.
    const meant = Object.hasOwn(otherNames, name) ? otherNames[name] : nearest(name, candidates, 2)
    if (meant && !set.has(meant)) reports.push(misspelt(name, meant))
  }
  return reports
}

function misspelt(name: string, meant: string): Problem {
  return {
    code: 'SETTING_MISSPELT',
    severity: 'info',
    setting: name,
    origin: { from: 'environment', name },
    part: null,
    message: `The environment has ${name}, which is no setting of ours; ${meant} is, and is not set.`,
    suggestion: `If ${meant} was meant, rename ${name} to it.`,
  }
}
