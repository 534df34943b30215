import { nearest } from '../../../config/nearest.ts'
import { Secret } from '../../../config/secret.ts'
import type { Report } from './report.ts'
import { decodePart } from './split.ts'
import type { TlsChoice } from './tls.ts'

/** What the parameters of an address say; a driver's own options extend it. */
export interface AddressOptions extends TlsChoice {
  user: string | null
  password: Secret | null
  host: string | null
  /** Where the host is, if no host is named: libpq's `hostaddr`. */
  address: string | null
  /** The file of a Unix socket; it wins over every host. */
  socket: string | null
  port: string | null
  database: string | null
  /** Milliseconds for one connection attempt; null: as the settings say. */
  connectMs: number | null
}

/** Reads the value of one parameter into the options; `written` is the name as it stands in the address. */
export type ParameterReader<O> = (value: string, options: O, report: Report, written: string) => void

/** The parameters that the addresses of a driver may have. */
export interface ParameterTable<O> {
  readonly known: Readonly<Record<string, ParameterReader<O>>>
  /** Accepted for other clients' sake and without effect: a sentence that says why. */
  readonly unused: Readonly<Record<string, string>>
  /** The name by which the tables are searched. */
  normalize(name: string): string
  /** The name of a known parameter as people write it. */
  show?(name: string): string
  /** Parameters about TLS: one that is unknown is never ignored, and `instead` says which to use. */
  readonly critical?: { readonly names: RegExp; readonly instead: string }
}

/** No real address has more. */
const parametersMax = 100

/** Reads `name=value&...` into the options and reports every parameter that is not used. Total. */
export function readParameters<O>(query: string, table: ParameterTable<O>, options: O, report: Report): void {
  const seen = new Set<string>()
  let isBehindSecret = false
  const pairs = query.split('&')
  if (pairs.length > parametersMax) {
    const message = `The address has more than ${parametersMax} parameters.`
    report('ADDRESS_MALFORMED', 'error', 'query', message, 'Remove those that are not needed.')
  }
  for (const pair of pairs.slice(0, parametersMax)) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const written = decodePart(equals < 0 ? pair : pair.slice(0, equals)).text
    const value = equals < 0 ? '' : decodePart(pair.slice(equals + 1)).text
    const name = meantName(table, written, report)
    // A password may contain a "?", and nothing else that has a name behind it.
    if (/\?[a-z][\w.-]*=/i.test(pair) && !isSecretName(name)) {
      const message = 'The address has a second "?"; parameters are separated by "&".'
      report('ADDRESS_MALFORMED', 'error', 'query', message, 'Write "&" for the second "?", or "%3F" within a value.')
      continue
    }
    if (seen.has(name)) {
      const message = `${subject(written)} is given twice.`
      report('ADDRESS_PARAMETER_DUPLICATE', 'warning', 'query', message, 'Give it once; the last one is used.')
    }
    seen.add(name)
    const reader = Object.hasOwn(table.known, name) ? table.known[name] : undefined
    const reason = Object.hasOwn(table.unused, name) ? table.unused[name] : undefined
    if (reader !== undefined) reader(value, options, report, written)
    else if (reason !== undefined) reportUnused(report, 'info', written, reason)
    // Without "=" it may be a password that has lost its place; behind a password, the rest of it.
    else reportUnknown(report, table, name, equals < 0 || isBehindSecret ? '' : written)
    isBehindSecret ||= isSecretName(name)
  }
}

function isSecretName(name: string): boolean {
  return /pass|pwd|secret|token/i.test(name)
}

/** The name of the parameter that is meant: one about TLS is also read when it is written with hyphens or a letter is wrong. */
function meantName<O>(
  { known, unused, critical, normalize, show }: ParameterTable<O>,
  written: string,
  report: Report,
): string {
  const name = normalize(written)
  if (critical === undefined || Object.hasOwn(known, name) || Object.hasOwn(unused, name)) return name
  const letters = name.replace(/[-_]/g, '')
  const names = Object.keys(known).filter((one) => critical.names.test(one))
  const meant = names.find((one) => one.replace(/[-_]/g, '') === letters) ?? nearest(letters, names, 1)
  if (meant === null) return name
  const shown = show?.(meant) ?? meant
  report('ADDRESS_REPAIRED', 'warning', 'query', `${subject(written)} is read as "${shown}".`, `Write "${shown}".`)
  return meant
}

/** Reports that a parameter has no effect. */
export function reportUnused(report: Report, severity: 'info' | 'warning', name: string, reason: string): void {
  const message = `${subject(name)} has no effect. ${reason}`
  report('ADDRESS_PARAMETER_UNUSED', severity, 'query', message, `Remove ${object(name)}.`)
}

/** Reports a value that is not valid and not used; `accepts` ends the sentence "x accepts ...". */
export function reportInvalid(report: Report, name: string, accepts: string): void {
  const message = `${subject(name)} has a value that is not valid.`
  report('ADDRESS_PARAMETER_INVALID', 'warning', 'query', message, `${object(name)} accepts ${accepts}.`)
}

function reportUnknown<O>(report: Report, table: ParameterTable<O>, name: string, written: string): void {
  const near = nearest(name, Object.keys(table.known))
  const hint = near === null ? '' : `Did you mean "${table.show?.(near) ?? near}"? `
  if (table.critical?.names.test(name)) {
    const message = `${subject(written)}, which is about TLS, is unknown.`
    report('ADDRESS_TLS_INVALID', 'error', 'query', message, `${hint}${table.critical.instead}`)
    return
  }
  const remedy = `${hint}Correct or remove ${object(written)}.`
  report('ADDRESS_PARAMETER_UNKNOWN', 'warning', 'query', `${subject(written)} is unknown and not used.`, remedy)
}

/** What stands in the place of a name may be anything, even the end of a password: only what looks like a name is shown. */
const plainName = /^[a-z][a-z0-9_.-]{0,40}$/i

function subject(name: string): string {
  return plainName.test(name) ? `The parameter "${name}"` : 'A parameter without a usable name'
}

function object(name: string): string {
  return plainName.test(name) ? `"${name}"` : 'it'
}

type CommonParameter =
  | 'user'
  | 'password'
  | 'host'
  | 'port'
  | 'database'
  | 'authority'
  | 'certificate'
  | 'key'
  | 'connectTimeout'

/** Readers of the parameters that every kind of server has, whatever its clients call them. */
export const commonReaders: Readonly<Record<CommonParameter, ParameterReader<AddressOptions>>> = {
  user: (value, options) => {
    options.user = value
  },
  password: (value, options) => {
    options.password = new Secret(value)
  },
  host: (value, options) => {
    options.host = value
  },
  port: (value, options) => {
    options.port = value
  },
  database: (value, options) => {
    options.database = value
  },
  authority: (value, options) => {
    options.tls = { ...options.tls, authority: value }
  },
  certificate: (value, options) => {
    options.tls = { ...options.tls, certificate: new Secret(value) }
  },
  key: (value, options) => {
    options.tls = { ...options.tls, key: new Secret(value) }
  },
  /** In seconds where its name has "_" or "-", as in libpq and Python; else in milliseconds, as in Java and Node. 0: no limit. */
  connectTimeout: (value, options, report, written) => {
    const inSeconds = /[-_]/.test(written)
    const match = /^(\d{1,7})(ms|s)?$/.exec(value)
    if (match === null) return reportInvalid(report, written, `a number of ${inSeconds ? '' : 'milli'}seconds`)
    const count = Number(match[1])
    const ms = match[2] === 's' || (match[2] === undefined && inSeconds) ? count * 1_000 : count
    options.connectMs = ms === 0 ? null : ms
  },
}
