import { Secret } from '../../../config/secret.ts'
import type { Settings } from '../../../config/settings.ts'
import type { Address, Parsed, PartsAddress } from '../../address.ts'
import type { AddressDialect, ServerTarget } from './dialect.ts'
import { type HostDefaults, hostList, readHosts } from './hosts.ts'
import { type AddressOptions, readParameters } from './parameters.ts'
import {
  corrected,
  fillIn,
  oddParts,
  type PartsReading,
  replacedParts,
  showReading,
  unknownHosts,
  withoutSlashes,
} from './reading.ts'
import { parseWith, type Report, reportUnusualName } from './report.ts'
import { findSecondAddress, findSlip, shownQuery } from './slips.ts'
import { decodePart, type Pieces, splitAddress } from './split.ts'
import { defaultTls, settleTls, wordOf } from './tls.ts'

/** Less is not enough for TLS and a password across an ocean. */
const shareLeastMs = 1_000

/** An address as read, before it is checked as a whole. */
interface Reading<O> extends PartsReading {
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
    reportUnusualName(this.#report, name ?? '')
    const hosts = readHosts(hostList(host), null, port === null ? null : String(port), this.#hostDefaults())
    return { hosts, user: username, password, database: name, options: this.#options() }
  }

  #hostDefaults(): HostDefaults {
    const { defaultPort, fillIn } = this.#dialect
    return { port: defaultPort, host: fillIn?.host ?? null }
  }

  #readUrl(given: string): Reading<O> | null {
    const report = this.#report
    const text = this.#dialect.prepare?.(given.trim(), report) ?? given.trim()
    const match = /^(?:[a-z][a-z0-9+.-]*):(\/{0,2})([\s\S]*)$/i.exec(text)
    const [slashes = '', rest = ''] = match?.slice(1) ?? []
    const second = findSecondAddress(rest, this.#dialect)
    if (second !== null) {
      report('ADDRESS_MULTIPLE', 'error', second.part, second.message, second.suggestion)
      return null
    }
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
    const slip = findSlip(pieces, options, this.#dialect.socketParameter ?? 'host')
    if (slip !== null) {
      const shown = corrected(this.#dialect.scheme, slip.shown, true, slip.query ?? this.#query)
      report(slip.code, 'error', slip.part, slip.message, `Write ${shown}`)
      return null
    }
    reportUnusualName(report, pieces.database ?? '')
    const reading = this.#readPieces(pieces, options)
    if (slashes !== '//') {
      const message = `Expected "${this.#dialect.scheme}://", found ${slashes === '' ? 'no slashes' : 'one slash'}.`
      report('ADDRESS_MALFORMED', 'error', 'scheme', message, `Write ${this.#show(reading)}`)
    } else if (!('defect' in reading.hosts)) this.#reportRepairs(pieces, reading)
    return reading
  }

  /** A parameter wins over the part that it replaces. */
  #readPieces(pieces: Pieces, options: O): Reading<O> {
    const { socket, host, address, port } = options
    const names = host ?? (pieces.hosts === '' ? address : null)
    const defaults = this.#hostDefaults()
    const hosts =
      socket === null ? readHosts(pieces.hosts, names, port, defaults) : readHosts('', socket, null, defaults)
    const own = {
      user: pieces.user === null || pieces.user === '' ? null : decodePart(pieces.user).text,
      password: pieces.password === null ? null : new Secret(decodePart(pieces.password).text),
      database: pieces.database === null ? null : decodePart(withoutSlashes(pieces.database)).text,
    }
    const places = pieces.hosts === '' ? null : readHosts(pieces.hosts, null, null, defaults)
    const replaced = replacedParts({ ...own, hosts: places }, { ...options, hosts: host === null ? null : hosts })
    const [part] = replaced
    if (part !== undefined) {
      const message = `Parameters replace the ${replaced.join(' and the ')} that the address names before them.`
      const remedy = 'Nothing to do if that is meant; otherwise remove the parameter.'
      this.#report('ADDRESS_PARAMETER_WINS', 'info', part, message, remedy)
    }
    return {
      hosts,
      user: options.user ?? own.user,
      password: options.password ?? own.password,
      database: options.database ?? own.database,
      options,
    }
  }

  #options(): O {
    const { driver, tls } = this.#dialect
    const unset = { user: null, password: null, host: null, address: null, socket: null, port: null, database: null }
    const own = this.#settings.plugins?.[driver] ?? {}
    return this.#dialect.options({ ...unset, connectMs: null, tls: defaultTls(tls, own), isTlsSet: false })
  }

  #reportRepairs(pieces: Pieces, reading: Reading<O>): void {
    // A password that has lost its colon may be part of the user.
    const shown = this.#show(pieces.password === null ? { ...reading, user: null } : reading)
    for (const { part, message, remedy } of oddParts(pieces)) {
      this.#report('ADDRESS_REPAIRED', 'warning', part, message, `${remedy}: ${shown}`)
    }
  }

  #check(given: Reading<O>): T | null {
    const { databaseName } = this.#dialect
    const report = this.#report
    const { hosts } = given
    if ('defect' in hosts) {
      const { code, part, message } = hosts.defect
      const remedy = this.#remedy(given)
      report(code, 'error', part, message, code === 'ADDRESS_HOST_MISSING' ? this.#missing('HOST', remedy) : remedy)
      return null
    }
    const reading = this.#fillIn(given)
    const { user, password, database } = reading
    if (database === null || database === '') {
      const remedy = this.#missing('NAME', this.#remedy(reading))
      report('ADDRESS_NAME_MISSING', 'error', 'name', 'The address names no database.', remedy)
      return null
    }
    if (!databaseName.isValid(database) || /\p{Cc}/u.test(database) || !database.isWellFormed()) {
      const message = `The database name is not valid. It must ${databaseName.rule}.`
      // Without a password the rest may be one.
      const shown = password === null ? { ...reading, user: null, hosts: unknownHosts } : reading
      report('ADDRESS_NAME_INVALID', 'error', 'name', message, this.#remedy({ ...shown, database: null }))
      return null
    }
    const remedy = this.#remedy({ ...reading, user: null })
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

  /** What the server's clients fill in, and say nothing of. */
  #fillIn(reading: Reading<O>): Reading<O> {
    const { filled, missing } = fillIn(reading, this.#dialect.fillIn ?? null)
    const [first] = missing
    if (first === undefined) return reading
    const message = `The address names ${missing.map(({ part }) => `no ${part}`).join(' and ')}; as in libpq, that means ${missing.map(({ value }) => value).join(' and ')}.`
    const whole = { ...reading, ...filled }
    const remedy = `Nothing to do if that is meant. ${this.#remedy(whole)}`
    this.#report('ADDRESS_PART_FILLED_IN', 'info', first.part === 'database' ? 'name' : first.part, message, remedy)
    return whole
  }

  /** The corrected address. An address in parts has settings of its own to correct. */
  #remedy(reading: Reading<O>): string {
    return `${this.#address.form === 'url' ? 'Write' : 'As DATABASE_URL it would be'} ${this.#show(reading)}`
  }

  #complete(options: O, parts: Pick<ServerTarget, 'hosts' | 'user' | 'password' | 'database'>): T {
    const { driver, tls: words } = this.#dialect
    const { setting, origin } = this.#address
    const [{ host, port }] = parts.hosts
    const tls = settleTls(words, options, this.#report)
    // TLS is not used over a Unix socket, which no one can tap.
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
      connectMs: this.#shareOf(options),
      mayMakeTables: this.#settings.database.schemaApply !== 'none',
    }
    return this.#dialect.complete(common, options, this.#settings)
  }

  /** Hosts are tried side by side, rounds one after the other: one that hangs must leave time for the next. */
  #shareOf(options: O): number | null {
    const { connectMs } = options
    const rounds = this.#dialect.rounds?.(options) ?? 1
    if (rounds === 1) return connectMs
    const { fallback, database } = this.#settings
    const wholeS = fallback.enabled ? fallback.timeoutS : database.connectionTimeoutS
    const shareMs = Math.max(shareLeastMs, Math.floor((wholeS * 1_000) / rounds))
    return Math.min(connectMs ?? shareMs, shareMs)
  }

  #show(reading: Reading<O>): string {
    return showReading(reading, this.#dialect, this.#query)
  }
}
