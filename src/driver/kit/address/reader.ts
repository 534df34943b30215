import { Secret } from '../../../config/secret.ts'
import type { Settings } from '../../../config/settings.ts'
import type { Address, Parsed, PartsAddress } from '../../address.ts'
import type { AddressDialect, ServerTarget } from './dialect.ts'
import { type HostsReading, readHosts } from './hosts.ts'
import { type AddressOptions, readParameters } from './parameters.ts'
import { parseWith, type Report } from './report.ts'
import { findSlip, type ShownParts, shownQuery } from './slips.ts'
import { decodePart, type Pieces, splitAddress } from './split.ts'
import { defaultTls, settleTls, wordOf } from './tls.ts'

/** Less is not enough for TLS and a password across an ocean. */
const shareLeastMs = 1_000

/** An address as read, before it is checked as a whole. */
interface Reading<O> {
  readonly hosts: HostsReading
  readonly user: string | null
  readonly password: Secret | null
  readonly database: string | null
  readonly options: O
}

/** Reads the address of a database server: a target, or problems that name part, reason and masked correction. Pure, total. */
export function readAddress<O extends AddressOptions, T extends ServerTarget>(
  dialect: AddressDialect<O, T>,
  address: Address,
  settings: Settings,
): Parsed<T> {
  return parseWith<T>(dialect.driver, address, (report) => readTarget(dialect, address, settings, report))
}

/** The same for a driver that adds checks of its own; null after an error was reported. */
export function readTarget<O extends AddressOptions, T extends ServerTarget>(
  dialect: AddressDialect<O, T>,
  address: Address,
  settings: Settings,
  report: Report,
): T | null {
  return new Reader(dialect, address, settings, report).read()
}

class Reader<O extends AddressOptions, T extends ServerTarget> {
  readonly #dialect: AddressDialect<O, T>
  readonly #address: Address
  readonly #settings: Settings
  readonly #report: Report
  #hasError = false
  /** The parameters of the address for its corrected form. */
  #query = ''

  constructor(dialect: AddressDialect<O, T>, address: Address, settings: Settings, report: Report) {
    this.#dialect = dialect
    this.#address = address
    this.#settings = settings
    this.#report = (code, severity, ...more) => {
      this.#hasError ||= severity === 'error'
      report(code, severity, ...more)
    }
  }

  read(): T | null {
    const address = this.#address
    const reading = address.form === 'url' ? this.#readUrl(address.text.reveal()) : this.#readParts(address)
    const target = reading === null ? null : this.#check(reading)
    return this.#hasError ? null : target
  }

  #readParts({ host, port, username, password, name }: PartsAddress): Reading<O> {
    const hosts = readHosts(asList(host), null, port === null ? null : String(port), this.#dialect.defaultPort)
    return { hosts, user: username, password, database: name, options: this.#options() }
  }

  #readUrl(given: string): Reading<O> | null {
    const report = this.#report
    const text = this.#dialect.prepare?.(given.trim(), report) ?? given.trim()
    const match = /^(?:[a-z][a-z0-9+.-]*):(\/{0,2})([\s\S]*)$/i.exec(text)
    const [slashes = '', rest = ''] = match?.slice(1) ?? []
    if (this.#hasSecondAddress(rest)) return null
    const split = splitAddress(rest, this.#dialect.partParameters)
    if ('ambiguous' in split) {
      const { character, position } = split.ambiguous
      const message = `The password contains "${character}" at position ${position}, and the address can be read in more than one way.`
      const remedy = `Write "${encodeURIComponent(character)}" for "${character}" in the password.`
      report('ADDRESS_PASSWORD_AMBIGUOUS', 'error', 'password', message, remedy)
      return null
    }
    const { pieces } = split
    this.#query = shownQuery(pieces.query, this.#dialect.partParameters)
    const options = this.#options()
    readParameters(pieces.query, this.#dialect.parameters, options, report)
    const slip = findSlip(pieces, options)
    if (slip !== null) {
      report(
        slip.code,
        'error',
        slip.part,
        slip.message,
        `Write ${this.#corrected(slip.shown, slip.query ?? this.#query)}`,
      )
      return null
    }
    const reading = this.#readPieces(pieces, options)
    if (slashes !== '//') {
      const message = `Expected "${this.#dialect.scheme}://", found ${slashes === '' ? 'no slashes' : 'one slash'}.`
      report('ADDRESS_MALFORMED', 'error', 'scheme', message, `Write ${this.#show(reading)}`)
    } else if (!('defect' in reading.hosts)) this.#reportRepairs(pieces, reading)
    return reading
  }

  /** A parameter wins over the part that it replaces. */
  #readPieces(pieces: Pieces, options: O): Reading<O> {
    const { defaultPort } = this.#dialect
    const { socket } = options
    const hosts =
      socket === null
        ? readHosts(pieces.hosts, options.host, options.port, defaultPort)
        : readHosts('', socket, null, defaultPort)
    const user = pieces.user === null || pieces.user === '' ? null : decodePart(pieces.user).text
    const password = pieces.password === null ? null : new Secret(decodePart(pieces.password).text)
    const database = pieces.database === null ? null : decodePart(pieces.database).text
    return {
      hosts,
      user: options.user ?? user,
      password: options.password ?? password,
      database: options.database ?? database,
      options,
    }
  }

  #options(): O {
    const { driver, tls } = this.#dialect
    const unset = { user: null, password: null, host: null, socket: null, port: null, database: null, connectMs: null }
    const own = this.#settings.plugins?.[driver] ?? {}
    return this.#dialect.options({ ...unset, tls: defaultTls(tls, own), isTlsGiven: false })
  }

  #hasSecondAddress(rest: string): boolean {
    const { scheme, knownSchemes, defaultPort } = this.#dialect
    const inside = /^([^/?#]*)@([a-z][a-z0-9+.-]*):\/\//i.exec(rest)
    if (inside !== null) {
      const [, userinfo = '', second = ''] = inside
      const after = /@[a-z][a-z0-9+.-]*:\/\/([\w.-]+(?::\d{1,5})?)(?:\/([\w-]+))?/i.exec(rest)
      const user = userinfo.split(/[:@]/, 1)[0] ?? null
      const shown = this.#corrected({ user, hosts: after?.[1] ?? 'host', database: after?.[2] ?? null })
      const named = knownSchemes.test(second) ? `, "${second.toLowerCase()}://"` : ''
      const message = `The host begins with a second scheme${named}.`
      this.#report('ADDRESS_MULTIPLE', 'error', 'host', message, `Write ${shown}`)
      return true
    }
    if (!/[a-z][a-z0-9+.-]{0,40}:\/\//i.test(rest.replace(/\?.*$/s, ''))) return false
    const message = 'The value contains two addresses, or one inside the other.'
    const remedy = `Give one address: ${scheme}://user:***@host:${defaultPort}/name`
    this.#report('ADDRESS_MULTIPLE', 'error', null, message, remedy)
    return true
  }

  #reportRepairs(pieces: Pieces, reading: Reading<O>): void {
    const password = pieces.password ?? ''
    const { isExact } = decodePart(password)
    if (pieces.password === null && pieces.isRepaired) {
      // A password that has lost its colon may be part of the user.
      const remedy = `Write "%40" for "@": ${this.#show({ ...reading, user: null })}`
      const message = 'The user contains "@" unencoded; it is used as it stands.'
      this.#report('ADDRESS_REPAIRED', 'warning', 'user', message, remedy)
    } else if (pieces.isRepaired || !isExact || /\s/.test(password)) {
      const characters = [...new Set(password.match(/[@/?#\s]/g) ?? []), ...(isExact ? [] : ['%'])]
      const named = characters.map((one) => `"${one}"`).join(', ')
      const codes = characters.map((one) => `"${encodeURIComponent(one)}" for "${one}"`).join(', ')
      const message = `The password contains ${named === '' ? 'a character' : named} unencoded; it is used as it stands.`
      this.#report('ADDRESS_REPAIRED', 'warning', 'password', message, `Write ${codes}: ${this.#show(reading)}`)
    }
  }

  #check(reading: Reading<O>): T | null {
    const { hosts, user, password, database } = reading
    const { databaseName } = this.#dialect
    const report = this.#report
    if ('defect' in hosts) {
      const { code, part, message } = hosts.defect
      const remedy = `Write ${this.#show(reading)}`
      report(code, 'error', part, message, code === 'ADDRESS_HOST_MISSING' ? this.#missing('HOST', remedy) : remedy)
      return null
    }
    if (database === null || database === '') {
      const remedy = this.#missing('NAME', `Write ${this.#show(reading)}`)
      report('ADDRESS_NAME_MISSING', 'error', 'name', 'The address names no database.', remedy)
      return null
    }
    if (!databaseName.isValid(database) || /\p{Cc}/u.test(database) || !database.isWellFormed()) {
      const message = `The database name is not valid. It must ${databaseName.rule}.`
      const remedy = `Write ${this.#corrected({ user: null, hosts: 'host', database: null })}`
      report('ADDRESS_NAME_INVALID', 'error', 'name', message, remedy)
      return null
    }
    const remedy = `Write ${this.#show({ ...reading, user: null })}`
    if (user === null || user === '') {
      report('ADDRESS_USER_MISSING', 'error', 'user', 'The address names no user.', this.#missing('USERNAME', remedy))
      return null
    }
    if (user.includes('\0') || password?.reveal().includes('\0')) {
      report('ADDRESS_MALFORMED', 'error', 'user', 'The user or the password contains a NUL character.', remedy)
      return null
    }
    return this.#complete(reading.options, { hosts: hosts.hosts, user, password, database })
  }

  /** A whole address helps no one who sets it in parts. */
  #missing(part: 'HOST' | 'NAME' | 'USERNAME', remedy: string): string {
    return this.#address.form === 'parts' ? `Set DATABASE_${part}.` : remedy
  }

  #complete(options: O, parts: Pick<ServerTarget, 'hosts' | 'user' | 'password' | 'database'>): T {
    const { driver, tls: words } = this.#dialect
    const { setting, origin } = this.#address
    const [{ host, port }] = parts.hosts
    const tls = settleTls(words, options, this.#report)
    // A Unix socket is used without TLS: it never leaves the machine.
    const isLocal = parts.hosts.every((one) => one.host.startsWith('/'))
    const encryption = isLocal ? { ...tls, mode: 'disable' as const } : tls
    const common: ServerTarget = {
      ...parts,
      driver,
      id: this.#dialect.id(parts.hosts, parts.database),
      host,
      port,
      tls: wordOf(words, encryption.mode).toLowerCase(),
      setting,
      origin,
      encryption,
      connectMs: this.#shareOf(options, parts.hosts.length),
      mayMakeTables: this.#settings.database.schemaApply !== 'none',
    }
    return this.#dialect.complete(common, options, this.#settings)
  }

  /** One of several hosts that swallows everything must leave time for the others before the fallback's time has come. */
  #shareOf(options: O, hosts: number): number | null {
    const { connectMs } = options
    const attempts = hosts * (this.#dialect.attempts?.(options) ?? 1)
    if (attempts === 1) return connectMs
    const { enabled, timeoutS } = this.#settings.fallback
    if (!enabled) return connectMs
    const shareMs = Math.max(shareLeastMs, Math.floor((timeoutS * 1_000) / attempts))
    return Math.min(connectMs ?? shareMs, shareMs)
  }

  #show({ hosts, user, database }: Reading<O>): string {
    if (!('defect' in hosts)) {
      return this.#corrected({
        user,
        hosts: hosts.hosts.map((host) => this.#dialect.formatHost(host)).join(','),
        database,
      })
    }
    const { code, hosts: corrected } = hosts.defect
    if (user !== null) return this.#corrected({ user, hosts: corrected, database })
    // Without a user, what follows a wrong host may be the end of a password whose "@" was lost.
    const isSafe = code === 'ADDRESS_HOST_MISSING'
    return this.#corrected({ user, hosts: corrected.replace(/,.*$/s, ''), database: isSafe ? database : null })
  }

  /** The corrected address, its secret masked. */
  #corrected({ user, hosts, database }: ShownParts, query = this.#query): string {
    const name = database === null || database === '' ? 'name' : encodeURIComponent(database.toWellFormed())
    const login = encodeURIComponent((user ?? 'user').toWellFormed())
    return `${this.#dialect.scheme}://${login}:***@${hosts}/${name}${query === '' ? '' : `?${query}`}`
  }
}

/** A separate host may be an IPv6 address without brackets or the path of a socket: it has no port of its own. */
function asList(host: string | null): string {
  const text = host?.trim() ?? ''
  if (text.startsWith('/')) return encodeURIComponent(text.toWellFormed())
  return text.split(':').length > 2 && !text.startsWith('[') ? `[${text}]` : text
}
