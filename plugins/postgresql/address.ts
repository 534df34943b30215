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
import {
  corrected,
  databaseId,
  defaultPort,
  formatHost,
  type Pooled,
  type PostgresqlTarget,
  type Tell,
  type Tls,
} from './target.ts'

/** Longer ones PostgreSQL cuts off, and then names another database. */
const nameLimitBytes = 63

/** Less is not enough for TLS and a password across an ocean. */
const shareLeastMs = 1_000

const example = 'postgresql://user:***@host:5432/name'

/** Parameters that may stand for a part of the address. */
const partParameters = { host: ['host'], database: ['dbname'] }

const hostCodes = {
  HOST_MISSING: 'POSTGRESQL_HOST_MISSING',
  HOST_INVALID: 'POSTGRESQL_HOST_INVALID',
  PORT_INVALID: 'POSTGRESQL_PORT_INVALID',
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
export function parseAddress(address: Address, settings: Settings): Parsed<PostgresqlTarget> {
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
    problems: [
      { code: 'POSTGRESQL_ADDRESS', severity: 'error', setting, origin, part: null, message, suggestion: example },
    ],
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

/** A part may hold an IPv6 address without brackets, or the folder of a socket: it has no colon of a port beside it. */
function asList(host: string | null): string {
  const text = host?.trim() ?? ''
  if (text.startsWith('/')) return encodeURIComponent(text.toWellFormed())
  return text.split(':').length > 2 && !text.startsWith('[') ? `[${text}]` : text
}

function readUrl(text: string, settings: Settings, tell: Tell): Read | null {
  const match = /^(?:[a-z][a-z0-9+.-]*):(\/{0,2})([\s\S]*)$/i.exec(text.trim())
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
    const mend = `Write "${code}" for "${character}" in the password.`
    tell('POSTGRESQL_PASSWORD_UNCLEAR', 'error', 'password', message, mend)
    return null
  }
  const { pieces } = split
  const wishes = noWishes(settings)
  readParameters(pieces.query, wishes, tell)
  const hosts = readHosts(pieces.hosts, wishes.host, wishes.port, defaultPort)
  const user = wishes.user ?? (pieces.user === null || pieces.user === '' ? null : decodePart(pieces.user).text)
  const password = wishes.password ?? passwordOf(pieces)
  const database = wishes.database ?? (pieces.database === null ? null : decodePart(pieces.database).text)
  const slip = findSlip(pieces, wishes)
  if (slip !== null) {
    tell(`POSTGRESQL_${slip.code}`, 'error', slip.part, slip.message, `Write ${corrected(slip.shown)}${slip.query}`)
    return null
  }
  const read: Read = { hosts, user, password, database, wishes }
  if (slashes !== '//') tellSlashes(slashes, read, tell)
  else if (!('defect' in hosts)) tellRepairs(pieces, read, tell)
  return read
}

function passwordOf({ password }: Pieces): Secret | null {
  return password === null ? null : new Secret(decodePart(password).text)
}

function noWishes(settings: Settings): Wishes {
  const own = settings.plugins?.postgresql ?? {}
  const rootCertificate = typeof own.sslRootCert === 'string' && own.sslRootCert !== '' ? own.sslRootCert : null
  return {
    user: null,
    password: null,
    host: null,
    port: null,
    database: null,
    tls: { mode: 'prefer', rootCertificate, certificate: secretOf(own.sslCert), key: secretOf(own.sslKey) },
    isTlsGiven: false,
    channelBinding: 'prefer',
    applicationName: null,
    options: null,
    session: 'read-write',
    connectMs: null,
    isPooled: false,
  }
}

function secretOf(value: unknown): Secret | null {
  if (value instanceof Secret) return value.reveal() === '' ? null : value
  return typeof value === 'string' && value !== '' ? new Secret(value) : null
}

function tellTwo(rest: string, isNested: boolean, tell: Tell): void {
  if (!isNested) {
    const message = 'The value holds two addresses, or one inside another.'
    tell('POSTGRESQL_TWO_ADDRESSES', 'error', null, message, `Give one address: ${example}`)
    return
  }
  const scheme = /@([a-z][a-z0-9+.-]*):\/\//i.exec(rest)?.[1]?.toLowerCase() ?? ''
  const user = rest.slice(0, rest.indexOf('@')).split(':', 1)[0] ?? null
  const after = /@[a-z][a-z0-9+.-]*:\/\/([\w.-]+(?::\d{1,5})?)(?:\/([\w-]+))?/i.exec(rest)
  const shown = corrected({ user, hosts: after?.[1] ?? 'host', database: after?.[2] ?? null })
  const message = `The host begins with a second scheme${/^(?:https?|postgres(?:ql)?)$/.test(scheme) ? `, "${scheme}://"` : ''}.`
  tell('POSTGRESQL_TWO_ADDRESSES', 'error', 'host', message, `Write ${shown}`)
}

function tellSlashes(slashes: string, read: Read, tell: Tell): void {
  const count = slashes === '' ? 'none' : 'one'
  const message = `Two slashes follow "postgresql:"; here is ${count}.`
  tell('POSTGRESQL_ADDRESS', 'error', 'scheme', message, `Write ${shownOf(read)}`)
}

function tellRepairs(pieces: Pieces, read: Read, tell: Tell): void {
  if (pieces.password === null && pieces.isRepaired) {
    // What was to be the password may stand in it, its colon lost.
    const message = 'The user holds "@" unencoded; it is taken as it stands.'
    const mend = `Write "%40" for "@": ${shownOf({ ...read, user: null })}`
    tell('POSTGRESQL_ADDRESS_REPAIRED', 'warning', 'user', message, mend)
    return
  }
  const password = pieces.password ?? ''
  const isUneven = !decodePart(password).isExact || /\s/.test(password)
  if (!pieces.isRepaired && !isUneven) return
  const characters = [...new Set(password.match(/[@/?#\s]/g) ?? []), ...(decodePart(password).isExact ? [] : ['%'])]
  const named = characters.map((one) => `"${one}"`).join(', ')
  const codes = characters.map((one) => `"${encodeURIComponent(one)}" for "${one}"`).join(', ')
  const message = `The password holds ${named === '' ? 'a character' : named} unencoded; it is taken as it stands.`
  tell('POSTGRESQL_ADDRESS_REPAIRED', 'warning', 'password', message, `Write ${codes}: ${shownOf(read)}`)
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

function judge(read: Read, address: Address, settings: Settings, tell: Tell): PostgresqlTarget | null {
  const { hosts, user, database, wishes } = read
  if ('defect' in hosts) {
    const { code, part, message } = hosts.defect
    tell(hostCodes[code], 'error', part, message, `Write ${shownOf(read)}`)
    return null
  }
  const name = database ?? ''
  if (name === '') {
    tell('POSTGRESQL_NAME_MISSING', 'error', 'name', 'The address names no database.', `Write ${shownOf(read)}`)
    return null
  }
  if (Buffer.byteLength(name) > nameLimitBytes || /[\p{Cc}/]/u.test(name) || !name.isWellFormed()) {
    const message = `The name of the database is longer than ${nameLimitBytes} bytes, or holds a character that none has.`
    tell(
      'POSTGRESQL_ADDRESS',
      'error',
      'name',
      message,
      `Write ${corrected({ user: null, hosts: 'host', database: null })}`,
    )
    return null
  }
  const isOdd = [user ?? '', read.password?.reveal() ?? '', wishes.options ?? ''].some((text) => text.includes('\0'))
  if (user === null || user === '' || isOdd) {
    tell(
      'POSTGRESQL_USER_MISSING',
      'error',
      'user',
      'The address names no user.',
      `Write ${shownOf({ ...read, user: null })}`,
    )
    return null
  }
  const tls = judgeTls(wishes, tell)
  return createTarget(
    { ...read, wishes: { ...wishes, tls } },
    { hosts: hosts.hosts, user, database: name },
    address,
    settings,
  )
}

/** A root certificate is a wish to know who answers: it is not dropped because no mode, or a weaker one, stands beside it. */
function judgeTls({ tls, isTlsGiven }: Wishes, tell: Tell): Tls {
  if ((tls.certificate === null) !== (tls.key === null)) {
    const [given, missing] = tls.key === null ? ['sslcert', 'sslkey'] : ['sslkey', 'sslcert']
    const message = `${given} is given without ${missing}: no certificate of the client can be shown.`
    tell('POSTGRESQL_TLS_FILE', 'warning', given, message, `Give ${missing}, too, or neither.`)
  }
  const isSystem = tls.rootCertificate === 'system'
  if (tls.rootCertificate === null || (isTlsGiven && !(isSystem && tls.mode !== 'verify-full'))) return tls
  const mode = isSystem ? 'verify-full' : 'require'
  const message = `A root certificate is given ${isTlsGiven ? `with sslmode=${tls.mode}` : 'and no sslmode'}; sslmode=${mode} is used.`
  tell('POSTGRESQL_TLS_MODE', isTlsGiven ? 'warning' : 'info', 'sslmode', message, `Write sslmode=${mode}.`)
  return { ...tls, mode }
}

function createTarget(
  { wishes, password }: Read,
  { hosts, user, database }: { hosts: readonly [Host, ...Host[]]; user: string; database: string },
  { setting, origin }: Address,
  settings: Settings,
): PostgresqlTarget {
  const [first] = hosts
  const isLocal = hosts.every(({ host }) => host.startsWith('/'))
  // TLS is not spoken over a Unix socket, whatever is asked for: nothing can listen in.
  const encryption = isLocal ? { ...wishes.tls, mode: 'disable' as const } : wishes.tls
  return {
    driver: 'postgresql',
    id: databaseId(hosts, database),
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
    channelBinding: wishes.channelBinding,
    applicationName: wishes.applicationName ?? 'holdfast',
    options: wishes.options === '' ? null : wishes.options,
    session: wishes.session,
    connectMs: shareOf(wishes, hosts, settings),
    pooled: pooledOf(wishes, hosts, settings),
    mayMakeTables: settings.database.schemaApply !== 'none',
  }
}

/** Of several hosts one that swallows everything must leave time for the others, before the fallback's time has come. */
function shareOf({ connectMs, session }: Wishes, hosts: readonly Host[], settings: Settings): number | null {
  const attempts = hosts.length * (session === 'prefer-standby' ? 2 : 1)
  if (attempts === 1 || !settings.fallback.enabled) return connectMs
  const shareMs = Math.max(shareLeastMs, Math.floor((settings.fallback.timeoutS * 1_000) / attempts))
  return Math.min(connectMs ?? shareMs, shareMs)
}

/** Poolers that tell by their name: Neon's, Supabase's transaction mode, PgBouncer's usual port. */
function pooledOf({ isPooled }: Wishes, hosts: readonly Host[], settings: Settings): Pooled {
  const wanted = settings.plugins?.postgresql?.pooled
  if (wanted === 'yes' || wanted === 'no') return wanted
  const isKnown = hosts.some(
    ({ host, port }) => /-pooler\.|\.pooler\.|^pgbouncer\b/i.test(host) || port === 6543 || port === 6432,
  )
  return isPooled || isKnown ? 'yes' : 'auto'
}
