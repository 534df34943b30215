import { createSecureContext, DEFAULT_CIPHERS, getCiphers } from 'node:tls'
import type { Report } from './report.ts'

/** The versions that may be used, oldest first. What asks for an older one as the least gets a better one. */
const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const
type TlsVersion = (typeof tlsVersions)[number]

/** Which versions and ciphers of TLS a connection may have; null: Node's own. */
export interface TlsLimits {
  readonly min: TlsVersion | null
  readonly max: TlsVersion | null
  /** Of TLS 1.2, as OpenSSL names them. */
  readonly ciphers: string | null
  /** Of TLS 1.3. */
  readonly suites: string | null
}

export const noTlsLimits: TlsLimits = { min: null, max: null, ciphers: null, suites: null }

/** True when the limits are a wish for TLS: a newest version alone is not. */
export function isTlsAsked({ min, ciphers, suites }: TlsLimits): boolean {
  return min !== null || ciphers !== null || suites !== null
}

/** Why no connection could keep the limits; null when one could. */
export function tlsLimitsFault(limits: TlsLimits): string | null {
  const { min, max } = limits
  if (!isTlsAsked(limits) && max === null) return null
  if (min !== null && max !== null && min > max) return `The oldest TLS version is ${min}, the newest ${max}`
  const unknown = 'OpenSSL does not know these TLS ciphers, or not in a version that is allowed'
  const known = getCiphers()
  // OpenSSL leaves out a suite of TLS 1.2 in silence, and then no connection succeeds.
  if (limits.suites?.split(':').some((name) => !known.includes(name.toLowerCase()))) return unknown
  try {
    // Without an authority of its own it would read all that Node trusts.
    createSecureContext({ ca: [], ...tlsLimitOptions(limits) })
    return null
  } catch {
    return unknown
  }
}

/** The limits as Node's options, which have the ciphers of all versions in one list. */
export function tlsLimitOptions({ min, max, ciphers, suites }: TlsLimits): {
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
  readonly ciphers?: string
} {
  const own = (isSuite: boolean) => DEFAULT_CIPHERS.split(':').filter((name) => name.startsWith('TLS_') === isSuite)
  return {
    ...(min === null ? {} : { minVersion: min }),
    ...(max === null ? {} : { maxVersion: max }),
    ...(ciphers === null && suites === null
      ? {}
      : { ciphers: [suites ?? own(true), ciphers ?? own(false)].flat().join(':') }),
  }
}

type LimitReader = (
  value: string,
  choice: { tls: { readonly limits: TlsLimits } },
  report: Report,
  written: string,
) => void

/**
 * Readers of the parameters that limit TLS: a value that is not valid is an error, and of two for the same the stricter
 * counts, so that no connection is weaker than one of them asks for.
 */
export const tlsLimitReaders: Readonly<
  Record<'minVersion' | 'maxVersion' | 'versions' | 'ciphers' | 'suites' | 'allCiphers', LimitReader>
> = {
  /** libpq's empty text is no limit. */
  minVersion(value, choice, report, written) {
    const number = value === '' ? 0 : numberOf(value)
    if (number === null) reportVersions(report, written)
    else if (value !== '') narrow(choice, { min: number < 3 ? 'TLSv1.2' : 'TLSv1.3' })
  },
  maxVersion(value, choice, report, written) {
    const number = value === '' ? 3 : numberOf(value)
    if (number === null || number < 2) reportVersions(report, written)
    else if (value !== '') narrow(choice, { max: number < 3 ? 'TLSv1.2' : 'TLSv1.3' })
  },
  /** A list of the allowed versions. */
  versions(value, choice, report, written) {
    const numbers = wordsOf(value).map(numberOf)
    const known = numbers.filter((number) => number !== null)
    const [min, max] = [Math.min(...known.filter((number) => number > 1)), Math.max(...known)]
    if (known.length < numbers.length || known.length === 0 || max < 2) return reportVersions(report, written)
    narrow(choice, { min: min < 3 ? 'TLSv1.2' : 'TLSv1.3', max: max < 3 ? 'TLSv1.2' : 'TLSv1.3' })
  },
  /** Those of TLS 1.2; MariaDB's clients accept all in one list. */
  ciphers(value, choice, report, written) {
    const isMixed = wordsOf(value).some((name) => name.startsWith('TLS_'))
    if (isMixed) tlsLimitReaders.allCiphers(value, choice, report, written)
    else limitCiphers('ciphers', value, choice, report, written)
  },
  suites: (value, choice, report, written) => limitCiphers('suites', value, choice, report, written),
  /** One list for every version: a version of which it names no cipher is not used. */
  allCiphers(value, choice, report, written) {
    const suites = wordsOf(value).filter((name) => name.startsWith('TLS_'))
    const ciphers = wordsOf(value).filter((name) => !name.startsWith('TLS_'))
    if (suites.length > 0) limitCiphers('suites', suites.join(':'), choice, report, written)
    else narrow(choice, { max: 'TLSv1.2' })
    if (ciphers.length > 0 || suites.length === 0) limitCiphers('ciphers', ciphers.join(':'), choice, report, written)
    else narrow(choice, { min: 'TLSv1.3' })
  },
}

function narrow(
  choice: Parameters<LimitReader>[1],
  given: { readonly min?: TlsVersion; readonly max?: TlsVersion },
): void {
  const { limits } = choice.tls
  // Their names sort by age.
  const sorted = (...versions: readonly (TlsVersion | null | undefined)[]) =>
    versions.filter((one) => one != null).sort()
  const min = sorted(limits.min, given.min).at(-1) ?? null
  const max = sorted(limits.max, given.max).at(0) ?? null
  choice.tls = { ...choice.tls, limits: { ...limits, min, max } }
}

/** Two different lists are an error: neither is known to be stricter. */
function limitCiphers(
  kind: 'ciphers' | 'suites',
  value: string,
  choice: Parameters<LimitReader>[1],
  report: Report,
  written: string,
): void {
  const { limits } = choice.tls
  const list = wordsOf(value).join(':')
  if (list === '') {
    const message = `The value of ${written} is empty. The address is rejected rather than used without it.`
    report(
      'ADDRESS_TLS_INVALID',
      'error',
      written,
      message,
      `${written} accepts names of OpenSSL, separated by colons.`,
    )
  } else if (limits[kind] !== null && limits[kind] !== list) {
    const message = 'The address has two different lists of TLS ciphers. The address is not used.'
    report('ADDRESS_TLS_CONFLICT', 'error', written, message, `Remove ${written}, or the other one.`)
  }
  choice.tls = { ...choice.tls, limits: { ...limits, [kind]: list } }
}

/** Lists of other clients are separated by commas, or look like those of JSON and Python. */
function wordsOf(value: string): readonly string[] {
  return value.split(/[\s,:[\]"']+/).filter((word) => word !== '')
}

/** 0 for TLSv1, 3 for TLSv1.3; null for any other word. */
function numberOf(word: string): number | null {
  const match = /^TLS[ _-]?v?1(?:[._]([0-3]))?$/i.exec(word)
  return match === null ? null : Number(match[1] ?? 0)
}

function reportVersions(report: Report, written: string): void {
  const message = `The value of ${written} is not a usable TLS version. The address is rejected rather than used without it.`
  report('ADDRESS_TLS_INVALID', 'error', written, message, `${written} accepts ${tlsVersions.join(' and ')}.`)
}
