import type { Address, Parsed } from '../../src/driver/address.ts'
import {
  decodePart,
  findSlip,
  type Host,
  type HostsReading,
  type Pieces,
  type Problem,
  readHosts,
  Secret,
  type Settings,
  splitAddress,
} from '../../src/driver/kit/driver-kit.ts'
import { readParameters, type Wishes } from './parameters.ts'
import { corrected, defaultPort, formatHost, type MysqlTarget, type Tell, type Tls } from './target.ts'

/** No server takes longer ones. */
const nameLimit = 64

/** Less is not enough for TLS and a password across an ocean. */
const shareLeastMs = 1_000

const example = 'mysql://user:***@host:3306/name'

/** Parameters that may stand for a part of the address. */
const partParameters = {
  host: ['host', 'socket', 'unixsocket', 'socketpath', 'localsocket'],
  database: ['database', 'db', 'dbname'],
}

const hostCodes = {
  HOST_MISSING: 'MYSQL_HOST_MISSING',
  HOST_INVALID: 'MYSQL_HOST_INVALID',
  PORT_INVALID: 'MYSQL_PORT_INVALID',
} as const

/** What the text or the parts say, before it is judged as a whole. */
interface Read {
  readonly hosts: HostsReading
  readonly user: string | null
  readonly password: Secret | null
  readonly database: string | null
  readonly wishes: Wishes
}

/** The address as a target, or problems that name part, reason and masked correction. Pure, total. */
export function parseAddress(address: Address, settings: Settings): Parsed<MysqlTarget> {
  const problems: Problem[] = []
  const tell: Tell = (code, severity, part, message, suggestion) => {
    problems.push({ code, severity, setting: address.setting, origin: address.origin, part, message, suggestion })
  }
  const read = address.form === 'url' ? readUrl(address.text.reveal(), settings, tell) : readParts(address, settings)
  const target = read === null ? null : judge(read, address, settings, tell)
  if (target !== null && !problems.some(({ severity }) => severity === 'error')) return { target, problems }
  const [first, ...more] = problems
  if (first !== undefined) return { problems: [first, ...more] }
  const { setting, origin } = address
  const message = 'The address is not usable.'
  return {
    problems: [{ code: 'MYSQL_ADDRESS', severity: 'error', setting, origin, part: null, message, suggestion: example }],
  }
}

function readParts(address: Extract<Address, { form: 'parts' }>, settings: Settings): Read {
  const { host, port, username, password, name } = address
  return {
    hosts: readHosts(asList(host), null, port === null ? null : String(port), defaultPort),
    user: username,
    password,
    database: name,
    wishes: noWishes(settings),
  }
}

/** A part may hold an IPv6 address without brackets, or the file of a socket: it has no colon of a port beside it. */
function asList(host: string | null): string {
  const text = host?.trim() ?? ''
  if (text.startsWith('/')) return encodeURIComponent(text.toWellFormed())
  return text.split(':').length > 2 && !text.startsWith('[') ? `[${text}]` : text
}

/** How Java's clients say what is to be done with several hosts. */
const hostWords = /^([a-z][a-z0-9+.-]*:)(?:loadbalance|load-balance|replication|failover|sequential|aurora):(?=\/\/)/i

function readUrl(given: string, settings: Settings, tell: Tell): Read | null {
  const text = given.trim().replace(hostWords, '$1')
  if (text !== given.trim()) {
    const message =
      'The word before the slashes has no meaning here: several hosts are tried in the order in which they stand.'
    tell('MYSQL_PARAMETER_UNNEEDED', 'info', 'scheme', message, 'Take the word away.')
  }
  const match = /^(?:[a-z][a-z0-9+.-]*):(\/{0,2})([\s\S]*)$/i.exec(text)
  const [slashes, rest] = [match?.[1] ?? '', match?.[2] ?? '']
  const nested = /^[^/?#]*@[a-z][a-z0-9+.-]*:\/\//i.test(rest)
  if (nested || /[a-z][a-z0-9+.-]{0,40}:\/\//i.test(rest.replace(/\?.*$/s, ''))) {
    tellTwo(rest, nested, tell)
    return null
  }
  const split = splitAddress(rest, partParameters)
  if ('unclear' in split) {
    const { character, position } = split.unclear
    const message = `The password holds "${character}" at position ${position}, and the address can be read in more than one way.`
    const code = encodeURIComponent(character)
    tell('MYSQL_PASSWORD_UNCLEAR', 'error', 'password', message, `Write "${code}" for "${character}" in the password.`)
    return null
  }
  const { pieces } = split
  const wishes = noWishes(settings)
  readParameters(pieces.query, wishes, tell)
  const hosts = readPlaces(pieces, wishes)
  const user = wishes.user ?? (pieces.user === null || pieces.user === '' ? null : decodePart(pieces.user).text)
  const password = wishes.password ?? passwordOf(pieces)
  const database = wishes.database ?? (pieces.database === null ? null : decodePart(pieces.database).text)
  const slip = findSlip(pieces, wishes)
  if (slip !== null) {
    tell(`MYSQL_${slip.code}`, 'error', slip.part, slip.message, `Write ${corrected(slip.shown)}${slip.query}`)
    return null
  }
  const read: Read = { hosts, user, password, database, wishes }
  if (slashes !== '//') tellSlashes(slashes, read, tell)
  else if (!('defect' in hosts)) tellRepairs(pieces, read, tell)
  return read
}

/** A socket that the address names wins over its host, as in every client of MySQL: the host is then "localhost". */
function readPlaces(pieces: Pieces, { socket, host, port }: Wishes): HostsReading {
  if (socket !== null) return readHosts('', socket, null, defaultPort)
  return readHosts(pieces.hosts, host, port, defaultPort)
}

function passwordOf({ password }: Pieces): Secret | null {
  return password === null ? null : new Secret(decodePart(password).text)
}

function noWishes(settings: Settings): Wishes {
  const own = settings.plugins?.mysql ?? {}
  const authority = typeof own.sslCa === 'string' && own.sslCa !== '' ? own.sslCa : null
  return {
    user: null,
    password: null,
    host: null,
    socket: null,
    port: null,
    database: null,
    tls: { mode: 'preferred', authority, certificate: secretOf(own.sslCert), key: secretOf(own.sslKey) },
    isTlsGiven: false,
    connectMs: null,
  }
}

function secretOf(value: unknown): Secret | null {
  if (value instanceof Secret) return value.reveal() === '' ? null : value
  return typeof value === 'string' && value !== '' ? new Secret(value) : null
}

function tellTwo(rest: string, isNested: boolean, tell: Tell): void {
  if (!isNested) {
    const message = 'The value holds two addresses, or one inside another.'
    tell('MYSQL_TWO_ADDRESSES', 'error', null, message, `Give one address: ${example}`)
    return
  }
  const scheme = /@([a-z][a-z0-9+.-]*):\/\//i.exec(rest)?.[1]?.toLowerCase() ?? ''
  const user = rest.slice(0, rest.indexOf('@')).split(':', 1)[0] ?? null
  const after = /@[a-z][a-z0-9+.-]*:\/\/([\w.-]+(?::\d{1,5})?)(?:\/([\w-]+))?/i.exec(rest)
  const shown = corrected({ user, hosts: after?.[1] ?? 'host', database: after?.[2] ?? null })
  const message = `The host begins with a second scheme${/^(?:https?|mysql|mariadb)$/.test(scheme) ? `, "${scheme}://"` : ''}.`
  tell('MYSQL_TWO_ADDRESSES', 'error', 'host', message, `Write ${shown}`)
}

function tellSlashes(slashes: string, read: Read, tell: Tell): void {
  const count = slashes === '' ? 'none' : 'one'
  const message = `Two slashes follow "mysql:"; here is ${count}.`
  tell('MYSQL_ADDRESS', 'error', 'scheme', message, `Write ${shownOf(read)}`)
}

function tellRepairs(pieces: Pieces, read: Read, tell: Tell): void {
  if (pieces.password === null && pieces.isRepaired) {
    // What was to be the password may stand in it, its colon lost.
    const message = 'The user holds "@" unencoded; it is taken as it stands.'
    tell(
      'MYSQL_ADDRESS_REPAIRED',
      'warning',
      'user',
      message,
      `Write "%40" for "@": ${shownOf({ ...read, user: null })}`,
    )
    return
  }
  const password = pieces.password ?? ''
  const isUneven = !decodePart(password).isExact || /\s/.test(password)
  if (!pieces.isRepaired && !isUneven) return
  const characters = [...new Set(password.match(/[@/?#\s]/g) ?? []), ...(decodePart(password).isExact ? [] : ['%'])]
  const named = characters.map((one) => `"${one}"`).join(', ')
  const codes = characters.map((one) => `"${encodeURIComponent(one)}" for "${one}"`).join(', ')
  const message = `The password holds ${named === '' ? 'a character' : named} unencoded; it is taken as it stands.`
  tell('MYSQL_ADDRESS_REPAIRED', 'warning', 'password', message, `Write ${codes}: ${shownOf(read)}`)
}

function shownOf({ hosts, user, database: given }: Read): string {
  // Without a user and with a wrong host it may be the end of a password whose "@" was lost.
  const isWrong = 'defect' in hosts && hosts.defect.code !== 'HOST_MISSING'
  const database = isWrong && user === null ? null : given
  return corrected({
    user,
    hosts:
      'defect' in hosts
        ? user === null
          ? hosts.defect.hosts.replace(/,.*$/s, '')
          : hosts.defect.hosts
        : hosts.hosts.map(formatHost).join(','),
    database,
  })
}

function judge(read: Read, address: Address, settings: Settings, tell: Tell): MysqlTarget | null {
  const { hosts, user, database, wishes } = read
  if ('defect' in hosts) {
    const { code, part, message } = hosts.defect
    tell(hostCodes[code], 'error', part, message, `Write ${shownOf(read)}`)
    return null
  }
  const name = database ?? ''
  if (name === '') {
    tell('MYSQL_NAME_MISSING', 'error', 'name', 'The address names no database.', `Write ${shownOf(read)}`)
    return null
  }
  if (name.length > nameLimit || /[\p{Cc}/\\]/u.test(name) || !name.isWellFormed()) {
    const message = `The name of the database is longer than ${nameLimit} letters, or holds a character that none has.`
    tell('MYSQL_ADDRESS', 'error', 'name', message, `Write ${corrected({ user: null, hosts: 'host', database: null })}`)
    return null
  }
  const isOdd = [user ?? '', read.password?.reveal() ?? ''].some((text) => text.includes('\0'))
  if (user === null || user === '' || isOdd) {
    tell(
      'MYSQL_USER_MISSING',
      'error',
      'user',
      'The address names no user.',
      `Write ${shownOf({ ...read, user: null })}`,
    )
    return null
  }
  const tls = judgeTls(wishes, tell)
  const judged = { ...read, wishes: { ...wishes, tls } }
  return createTarget(judged, { hosts: hosts.hosts, user, database: name }, address, settings)
}

/** An authority is a wish to know who answers: it is not dropped because no mode, or a weaker one, stands beside it. */
function judgeTls({ tls, isTlsGiven }: Wishes, tell: Tell): Tls {
  if ((tls.certificate === null) !== (tls.key === null)) {
    const [given, missing] = tls.key === null ? ['ssl-cert', 'ssl-key'] : ['ssl-key', 'ssl-cert']
    const message = `${given} is given without ${missing}: no certificate of the client can be shown.`
    tell('MYSQL_TLS_FILE', 'warning', given, message, `Give ${missing}, too, or neither.`)
  }
  if (tls.authority === null || tls.mode.startsWith('verify')) return tls
  // Switched off in so many words it stays off; the authority may come from a setting that serves several addresses.
  if (isTlsGiven && tls.mode !== 'preferred') return tls
  const mode = tls.authority === 'system' ? 'verify_identity' : 'verify_ca'
  const message = `An authority is given ${isTlsGiven ? 'with ssl-mode=PREFERRED' : 'and no ssl-mode'}; ssl-mode=${mode.toUpperCase()} is used.`
  const severity = isTlsGiven ? 'warning' : 'info'
  tell('MYSQL_TLS_MODE', severity, 'ssl-mode', message, `Write ssl-mode=${mode.toUpperCase()}.`)
  return { ...tls, mode }
}

function createTarget(
  { wishes, password }: Read,
  { hosts, user, database }: { hosts: readonly [Host, ...Host[]]; user: string; database: string },
  { setting, origin }: Address,
  settings: Settings,
): MysqlTarget {
  const [first] = hosts
  const isLocal = hosts.every(({ host }) => host.startsWith('/'))
  // Over a Unix socket nothing can listen in, and servers refuse TLS there or pay for nothing.
  const encryption = isLocal ? { ...wishes.tls, mode: 'disabled' as const } : wishes.tls
  return {
    driver: 'mysql',
    id: `mysql:${hosts.map(({ host, port }) => placeOf(host, port)).join(',')}/${database}`,
    host: first.host,
    port: first.port,
    database,
    user,
    tls: encryption.mode,
    setting,
    origin,
    hosts,
    password,
    encryption,
    connectMs: shareOf(wishes, hosts, settings),
    mayMakeTables: settings.database.schemaApply !== 'none',
  }
}

/** Of several hosts one that swallows everything must leave time for the others, before the fallback's time has come. */
function shareOf({ connectMs }: Wishes, hosts: readonly Host[], settings: Settings): number | null {
  if (hosts.length === 1 || !settings.fallback.enabled) return connectMs
  const shareMs = Math.max(shareLeastMs, Math.floor((settings.fallback.timeoutS * 1_000) / hosts.length))
  return Math.min(connectMs ?? shareMs, shareMs)
}

function placeOf(host: string, port: number): string {
  return host.startsWith('/') ? host : `${host.toLowerCase().replace(/\.$/, '')}:${port}`
}
