import type { Origin, Problem, Severity } from '../../config/problem.ts'
import type { AddressCode } from '../../driver/kit/address/problems.ts'

/** Problems of declared databases other than those of addresses, by code; documentation and tests read it. */
export const databaseProblems = {
  ADDRESS_DRIVER_UNKNOWN: 'No loaded driver has the name in DATABASE_DRIVER.',
  ADDRESS_DRIVER_NOT_LOADED: 'The driver for an address is not loaded; the fallback serves.',
  ADDRESS_DRIVER_MISMATCH:
    'The driver in DATABASE_DRIVER does not accept the scheme of DATABASE_URL; the scheme decides.',
  DRIVER_FAILED: 'A driver threw, or returned something invalid, while reading an address; the address is not used.',
  FALLBACK_NOT_EMBEDDED: 'The fallback must keep its data in files of this machine; the default is used.',
  FALLBACK_DRIVER_MISSING: 'No loaded driver can be the fallback.',
  FALLBACK_IS_PRIMARY: 'Primary and fallback are the same database, so there is no fallback.',
  LEGACY_DATABASE_FOUND: 'A database from an earlier deployment was found outside DATA_DIR; it was not touched.',
} as const

/** The code of a problem with a declared database. */
export type DatabaseCode = keyof typeof databaseProblems | AddressCode

/** Creates problems with one setting. */
export type ReportAddress = (
  code: DatabaseCode,
  severity: Severity,
  part: string | null,
  message: string,
  suggestion: string,
) => Problem

/** A function that creates the problems of a setting. */
export function reporterOf({ setting, origin }: { setting: string; origin: Origin | null }): ReportAddress {
  return (code, severity, part, message, suggestion) => ({ code, severity, setting, origin, part, message, suggestion })
}

/** What people call a setting: the variable that they set, else its key. */
export function settingName(setting: string, origin: Origin | null): string {
  return origin?.from === 'environment' || origin?.from === 'secret-file' ? origin.name : setting
}
