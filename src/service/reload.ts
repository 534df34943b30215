import { isDeepStrictEqual } from 'node:util'
import { createProblem, type Problem } from '../config/problem.ts'
import { Secret } from '../config/secret.ts'
import type { ResolvedSettings, Settings } from '../config/settings.ts'
import { coreSettings } from '../config/settings-schema.ts'

/** The codes of problems that a reload finds, with their meanings. */
export const reloadProblems: Readonly<Record<string, string>> = {
  SETTING_NEEDS_RESTART: 'A changed setting takes effect only after a restart.',
}

/** A change in one of these opens the databases again. */
const connectionSections: readonly string[] = ['database', 'fallback', 'data', 'journal', 'plugins']

/** The keys whose values differ. Secrets are compared by value. */
export function changedKeys(before: Settings, after: Settings): readonly string[] {
  const [old, fresh] = [flat(before), flat(after)]
  return [...new Set([...old.keys(), ...fresh.keys()])].filter((key) => !isSame(old.get(key), fresh.get(key)))
}

/** True for a setting that takes effect only after a restart. */
export function needsRestart(key: string): boolean {
  return coreSettings.get(key)?.restart === true
}

/** Reports that what `/status` shows for this setting is not in force yet. */
export function restartProblem(key: string, resolved: ResolvedSettings): Problem {
  return createProblem('SETTING_NEEDS_RESTART', 'info', key, {
    origin: resolved.originOf(key),
    message: `The new value of "${key}" takes effect only after a restart.`,
    suggestion: 'Restart the service.',
  })
}

/** True for a setting that stores are opened with. */
export function concernsConnection(key: string): boolean {
  return !needsRestart(key) && connectionSections.includes(key.split('.')[0] ?? '')
}

/** The errors that were not there before. With one of them a reload is not applied. */
export function freshErrors(before: readonly Problem[], after: readonly Problem[]): readonly Problem[] {
  const known = new Set(before.map((problem) => JSON.stringify(problem)))
  return after.filter((problem) => problem.severity === 'error' && !known.has(JSON.stringify(problem)))
}

function flat(value: unknown, path: readonly string[] = []): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || value instanceof Secret || Array.isArray(value)) {
    return new Map([[path.join('.'), value]])
  }
  return new Map(Object.entries(value).flatMap(([key, inner]) => [...flat(inner, [...path, key])]))
}

function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Secret && other instanceof Secret) return one.equals(other)
  return isDeepStrictEqual(one, other)
}
