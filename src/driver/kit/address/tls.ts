import type { SettingDeclaration, SettingDeclarations } from '../../../config/driver-settings.ts'
import { nearest } from '../../../config/nearest.ts'
import { pemFault, readPemText } from '../../../config/pem.ts'
import { Secret } from '../../../config/secret.ts'
import type { Report } from './report.ts'
import { lettersOf } from './split.ts'
import { isTlsAsked, noTlsLimits, type TlsLimits, tlsLimitsFault } from './tls-limits.ts'

/** The TLS modes of libpq, from the weakest to the strictest; other clients have other names for them. */
export const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type TlsMode = (typeof tlsModes)[number]

/** How a connection is encrypted. Each text is a path or, when it begins with `-----BEGIN`, the PEM text itself. */
export interface Tls {
  readonly mode: TlsMode
  /** The word `system` stands for the authorities that Node trusts. */
  readonly authority: string | null
  readonly certificate: Secret | null
  readonly key: Secret | null
  readonly limits: TlsLimits
}

/** What an address says of TLS while it is read. */
export interface TlsChoice {
  tls: Tls
  /** True when the address names a mode. */
  isTlsSet: boolean
}

/** Where a file for TLS may be named. */
export interface TlsFile {
  /** In the address: `sslrootcert`. */
  readonly parameter: string
  /** In the driver's own settings: `sslRootCert`. */
  readonly setting: string
  readonly env: string
}

/** The TLS parameters and modes of the clients of one kind of server. */
export interface TlsDialect {
  /** The parameter for the mode, as people write it: `sslmode`. */
  readonly parameter: string
  /** The modes that these clients know, as their manuals write them. */
  readonly words: Readonly<Partial<Record<TlsMode, string>>>
  /** Other words for a mode, in lower case and by their letters alone. */
  readonly aliases: Readonly<Record<string, TlsMode>>
  /** True: several switches that are on add up, and only "off" next to "on" is a contradiction. */
  readonly addsUp: boolean
  /** The mode that a named authority asks for; null: the address is used as it is. */
  implied(tls: Tls, isTlsSet: boolean): TlsMode | null
  readonly files: { readonly authority: TlsFile; readonly certificate: TlsFile; readonly key: TlsFile }
}

/** The TLS parameters of libpq, which many clients share; `env` begins the variables that name certificates. */
export function libpqTls(env: string): TlsDialect {
  return {
    parameter: 'sslmode',
    words: {
      disable: 'disable',
      allow: 'allow',
      prefer: 'prefer',
      require: 'require',
      'verify-ca': 'verify-ca',
      'verify-full': 'verify-full',
    },
    // `no-verify` is node-postgres's; `strict` and `accept_invalid_certs` are Prisma's.
    aliases: {
      noverify: 'require',
      required: 'require',
      verifyidentity: 'verify-full',
      strict: 'verify-full',
      acceptinvalidcerts: 'require',
    },
    addsUp: false,
    implied({ mode, authority }, isTlsSet) {
      const isSystem = authority === 'system'
      if (isTlsSet && (mode === 'verify-full' || (!isSystem && mode !== 'allow' && mode !== 'prefer'))) return null
      return isSystem ? 'verify-full' : 'require'
    },
    files: {
      authority: { parameter: 'sslrootcert', setting: 'sslRootCert', env: `${env}_SSL_ROOT_CERT` },
      certificate: { parameter: 'sslcert', setting: 'sslCert', env: `${env}_SSL_CERT` },
      key: { parameter: 'sslkey', setting: 'sslKey', env: `${env}_SSL_KEY` },
    },
  }
}

/** What holds where the address says nothing of TLS: files from the driver's own settings. */
export function defaultTls({ files }: TlsDialect, own: Readonly<Record<string, unknown>>): Tls {
  const textOf = ({ setting }: TlsFile): string | null => {
    const value = own[setting]
    const text = value instanceof Secret ? value.reveal() : value
    return typeof text === 'string' && text !== '' ? text : null
  }
  const secretOf = (file: TlsFile): Secret | null => {
    const text = textOf(file)
    return text === null ? null : new Secret(text)
  }
  return {
    mode: 'prefer',
    authority: textOf(files.authority),
    certificate: secretOf(files.certificate),
    key: secretOf(files.key),
    limits: noTlsLimits,
  }
}

/** What may name a file, with the path or the PEM text; null where nothing is given, or only a word. */
export function filesOf({ files }: TlsDialect, tls: Tls): readonly (readonly [TlsFile, string | null])[] {
  return [
    [files.authority, tls.authority === 'system' ? null : tls.authority],
    [files.certificate, tls.certificate?.reveal() ?? null],
    [files.key, tls.key?.reveal() ?? null],
  ]
}

/** The declarations of the settings from which `defaultTls` reads. */
export function tlsSettings({ files }: TlsDialect): SettingDeclarations {
  const declare = ({ parameter, setting, env }: TlsFile, what: string): [string, SettingDeclaration] => {
    const doc = `${what}, as a path or as PEM text; ${parameter} in the address wins.`
    return [setting, { doc, format: 'pem', default: null, env }]
  }
  return Object.fromEntries([
    declare(files.authority, 'The certificate of the authority to trust'),
    declare(files.certificate, "The client's certificate"),
    declare(files.key, "The client's key"),
  ])
}

/** The mode that a word means; undefined for any other word. */
export function modeOf({ words, aliases }: TlsDialect, word: string): TlsMode | undefined {
  const letters = lettersOf(word)
  const found = tlsModes.find((mode) => lettersOf(words[mode] ?? '') === letters && letters !== '')
  return found ?? (Object.hasOwn(aliases, letters) ? aliases[letters] : undefined)
}

/** The mode of a switch: `on` when it is on. The word of a mode is valid, too. */
export function switchMode(dialect: TlsDialect, value: string, on: TlsMode): TlsMode | undefined {
  if (/^(?:true|1|on|yes|)$/i.test(value)) return on
  return isOff(value) ? 'disable' : modeOf(dialect, value)
}

/** True for a word that switches something off. */
export function isOff(value: string): boolean {
  return /^(?:false|0|off|no)$/i.test(value)
}

/** Notes a mode; of two that differ the stricter one counts. Undefined is an error: the address is not used without it. */
export function chooseTls(
  dialect: TlsDialect,
  mode: TlsMode | undefined,
  written: string,
  choice: TlsChoice,
  report: Report,
): void {
  const { parameter } = dialect
  if (mode === undefined) {
    const shown = /^[a-z_-]{1,20}$/i.test(written)
      ? `"${written}" is not a valid TLS mode`
      : 'The TLS mode is not valid'
    const message = `${shown}. The address is rejected rather than used without it.`
    const remedy = `Write ${parameter}=${wordOf(dialect, meantMode(dialect, written))}. ${modesOf(dialect)}`
    report('ADDRESS_TLS_INVALID', 'error', parameter, message, remedy)
    return
  }
  const { tls, isTlsSet } = choice
  choice.isTlsSet = true
  if (!isTlsSet || tls.mode === mode) {
    choice.tls = { ...tls, mode }
    return
  }
  const stricter = tlsModes[Math.max(tlsModes.indexOf(mode), tlsModes.indexOf(tls.mode))] ?? mode
  choice.tls = { ...tls, mode: stricter }
  if (dialect.addsUp && mode !== 'disable' && tls.mode !== 'disable') return
  const word = wordOf(dialect, stricter)
  const message = `The address asks for two different TLS modes; the stricter one, ${word}, is used.`
  report('ADDRESS_TLS_CONFLICT', 'warning', parameter, message, `Write ${parameter}=${word} alone.`)
}

/** The sentence that lists the valid modes. */
export function modesOf({ parameter, words }: TlsDialect): string {
  const all = tlsModes.flatMap((mode) => words[mode] ?? [])
  return `${parameter} accepts ${all.slice(0, -1).join(', ')} and ${all.at(-1)}.`
}

/** The mode as the manuals write it. */
export function wordOf({ words }: TlsDialect, mode: TlsMode): string {
  return words[mode] ?? mode
}

/** The mode that a word was probably meant to be; in doubt the stricter one. */
function meantMode(dialect: TlsDialect, word: string): TlsMode {
  if (isOff(word)) return 'disable'
  const strict = tlsModes.toReversed().flatMap((mode) => (dialect.words[mode] === undefined ? [] : [mode]))
  const letters = lettersOf(word)
  const begunBy = (start: string): TlsMode | undefined =>
    strict.find((mode) => start.length > 2 && lettersOf(wordOf(dialect, mode)).startsWith(start))
  const known = [...strict.map((mode) => lettersOf(wordOf(dialect, mode))), ...Object.keys(dialect.aliases)]
  const near = modeOf(dialect, nearest(letters, known) ?? '')
  return begunBy(letters) ?? near ?? begunBy(letters.slice(0, 3)) ?? 'require'
}

/**
 * What the address means as a whole. An authority asks for a checked certificate, and limits of versions or ciphers ask for TLS,
 * even where the address gives no mode or a weaker one.
 */
export function settleTls(dialect: TlsDialect, { tls, isTlsSet }: TlsChoice, report: Report): Tls {
  const { parameter, files } = dialect
  for (const [file, text] of filesOf(dialect, tls)) {
    const fault = text === null ? null : pemFault(readPemText(text))
    if (fault === null) continue
    const message = `The value of ${file.parameter} ${fault}. The address is rejected rather than used without it.`
    report('ADDRESS_TLS_INVALID', 'error', file.parameter, message, `Give a path or PEM text in ${file.parameter}.`)
  }
  const limitsFault = tlsLimitsFault(tls.limits)
  if (limitsFault !== null) {
    const message = `${limitsFault}. The address is rejected rather than used without these limits.`
    report('ADDRESS_TLS_INVALID', 'error', 'query', message, 'Correct or remove the versions and ciphers of TLS.')
  }
  const asked = tls.authority !== null ? 'A certificate authority' : isTlsAsked(tls.limits) ? 'A limit of TLS' : null
  if (asked !== null && isTlsSet && tls.mode === 'disable') {
    const off = `${parameter}=${wordOf(dialect, 'disable')}`
    const message = `${asked} is given with ${off}, which uses no TLS. The address is not used.`
    const authority = `the authority in ${files.authority.parameter} or ${files.authority.env}`
    const remedy = `Remove ${off}, or ${tls.authority !== null ? authority : 'the versions and ciphers'}.`
    report('ADDRESS_TLS_CONFLICT', 'error', parameter, message, remedy)
  }
  if ((tls.certificate === null) !== (tls.key === null)) {
    const [one, missing] = tls.key === null ? [files.certificate, files.key] : [files.key, files.certificate]
    const message = `${one.parameter} is given without ${missing.parameter}; the client cannot present a certificate.`
    const remedy = `Give ${missing.parameter} as well, or neither.`
    report('TLS_KEY_PAIR_INCOMPLETE', 'warning', one.parameter, message, remedy)
  }
  const isOptional = tls.mode === 'prefer' || tls.mode === 'allow'
  const mode = tls.authority !== null ? dialect.implied(tls, isTlsSet) : asked && isOptional ? 'require' : null
  if (mode === null) return tls
  const word = wordOf(dialect, mode)
  const how = isTlsSet ? `with ${parameter}=${wordOf(dialect, tls.mode)}` : `without ${parameter}`
  const message = `${asked} is given ${how}; ${parameter}=${word} is used.`
  report('ADDRESS_TLS_IMPLIED', isTlsSet ? 'warning' : 'info', parameter, message, `Write ${parameter}=${word}.`)
  return { ...tls, mode }
}
