import { decodePart, nearest, Secret } from '../../src/driver/kit/driver-kit.ts'
import { type SessionWish, sessionWishes, type Tell, type Tls, type TlsMode, tlsModes } from './target.ts'

/** What the query of an address wishes. */
export interface Wishes {
  user: string | null
  password: Secret | null
  host: string | null
  port: string | null
  database: string | null
  tls: Tls
  /** True when the address says how it wants TLS. */
  isTlsGiven: boolean
  channelBinding: 'disable' | 'prefer' | 'require'
  applicationName: string | null
  options: string | null
  session: SessionWish
  connectMs: number | null
  isPooled: boolean
}

type Reader = (value: string, wishes: Wishes, tell: Tell) => void

/** Parameters that other clients take and that change nothing here; said once, with the reason. */
const unneeded: Readonly<Record<string, string>> = {
  gssencmode: 'Kerberos encryption is not spoken; TLS is.',
  krbsrvname: 'Kerberos is not spoken.',
  gsslib: 'Kerberos is not spoken.',
  load_balance_hosts: 'The hosts are tried in the order in which they stand.',
  keepalives: 'Each statement has a limit, which notices more.',
  keepalives_idle: 'Each statement has a limit, which notices more.',
  keepalives_interval: 'Each statement has a limit, which notices more.',
  keepalives_count: 'Each statement has a limit, which notices more.',
  tcp_user_timeout: 'Each statement has a limit, which notices more.',
  client_encoding: 'Texts are UTF-8.',
  fallback_application_name: 'The name is "holdfast" unless application_name is given.',
  sslcompression: 'TLS is never compressed.',
  sslsni: 'The name of the host is always sent.',
  sslnegotiation: 'TLS is asked for as every server understands it.',
  ssl_min_protocol_version: "Node's least version of TLS counts.",
  ssl_max_protocol_version: "Node's highest version of TLS counts.",
  passfile:
    'Files of passwords are not read: the password stands in the address, in DATABASE_PASSWORD or in a file that DATABASE_URL_FILE names.',
  service: 'Files of services are not read: the address says it all.',
  schema: 'Tables lie where the search path of the role says; set it with ALTER ROLE.',
  currentschema: 'Tables lie where the search path of the role says; set it with ALTER ROLE.',
  connection_limit: 'POOL_SIZE and POOL_MAX_OVERFLOW say how many connections there are.',
  pool_timeout: 'QUERY_TIMEOUT limits the wait for a connection.',
  pool_size: 'POOL_SIZE and POOL_MAX_OVERFLOW say how many connections there are.',
  max_overflow: 'POOL_SIZE and POOL_MAX_OVERFLOW say how many connections there are.',
  statement_cache_size: 'Statements are prepared where that works.',
  prepared_statement_cache_size: 'Statements are prepared where that works.',
  supa: 'It only names the kind of address.',
  uselibpqcompat: "The TLS modes have libpq's meaning anyway.",
}

const readers: Readonly<Record<string, Reader>> = {
  user: (value, wishes) => {
    wishes.user = value
  },
  username: (value, wishes) => {
    wishes.user = value
  },
  password: (value, wishes) => {
    wishes.password = new Secret(value)
  },
  host: (value, wishes) => {
    wishes.host = value
  },
  hostaddr: (value, wishes) => {
    wishes.host ??= value
  },
  port: (value, wishes) => {
    wishes.port = value
  },
  dbname: (value, wishes) => {
    wishes.database = value
  },
  sslmode: readMode,
  ssl: (value, wishes, tell) => readMode(sslWord(value), wishes, tell),
  sslrootcert: (value, wishes) => {
    wishes.tls = { ...wishes.tls, rootCertificate: value }
  },
  sslcert: (value, wishes) => {
    wishes.tls = { ...wishes.tls, certificate: new Secret(value) }
  },
  sslkey: (value, wishes) => {
    wishes.tls = { ...wishes.tls, key: new Secret(value) }
  },
  channel_binding: (value, wishes, tell) => {
    if (value === 'disable' || value === 'prefer' || value === 'require') wishes.channelBinding = value
    else invalid(tell, 'channel_binding', 'disable, prefer or require')
  },
  application_name: (value, wishes) => {
    // What PostgreSQL keeps: 63 printable ASCII characters.
    wishes.applicationName = value.replace(/[^\x20-\x7e]/g, '?').slice(0, 63)
  },
  options: (value, wishes) => {
    wishes.options = value
  },
  target_session_attrs: readSession,
  targetservertype: readSession,
  connect_timeout: (value, wishes, tell) => {
    const seconds = Number(value)
    if (/^\d{1,6}$/.test(value)) wishes.connectMs = seconds === 0 ? null : seconds * 1_000
    else invalid(tell, 'connect_timeout', 'a number of seconds')
  },
  pgbouncer: (value, wishes) => {
    wishes.isPooled = !/^(?:false|0|no|off)$/i.test(value)
  },
}

/** Reads the query into the wishes; tells every parameter that is not used. Never throws. */
export function readParameters(query: string, wishes: Wishes, tell: Tell): void {
  const seen = new Set<string>()
  for (const pair of query.split('&').slice(0, 100)) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodePart(equals < 0 ? pair : pair.slice(0, equals)).text.toLowerCase()
    const value = equals < 0 ? '' : decodePart(pair.slice(equals + 1)).text
    if (seen.has(name))
      tell(
        'POSTGRESQL_PARAMETER_INVALID',
        'warning',
        'query',
        `The parameter ${shownName(name)} is given twice.`,
        'Give it once; the last one counts.',
      )
    seen.add(name)
    readOne(name, value, wishes, tell)
  }
}

function readOne(name: string, value: string, wishes: Wishes, tell: Tell): void {
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined
  if (reader !== undefined) {
    reader(value, wishes, tell)
    return
  }
  const why = Object.hasOwn(unneeded, name) ? unneeded[name] : undefined
  const shown = shownName(name)
  if (why !== undefined) {
    tell(
      'POSTGRESQL_PARAMETER_UNNEEDED',
      'info',
      'query',
      `The parameter ${shown} has no meaning here. ${why}`,
      `Take ${shown} away.`,
    )
    return
  }
  const message = `The parameter ${shown} is unknown, and not used.`
  const near = nearest(name, Object.keys(readers))
  const meant = near === null ? '' : `Did you mean "${near}"? `
  tell('POSTGRESQL_PARAMETER_UNKNOWN', 'warning', 'query', message, `${meant}Correct or remove ${shown}.`)
}

/** What stands at the place of a name may be anything, also the end of a password. */
function shownName(name: string): string {
  return /^[a-z][a-z0-9_.-]{0,40}$/.test(name) ? `"${name}"` : 'without a usable name'
}

/** A word that is none leaves what is safe: a server that takes writes. */
function readSession(value: string, wishes: Wishes, tell: Tell): void {
  const word = value.toLowerCase()
  const session = sessionWishes.find((known) => known === word) ?? sessionAliases[word]
  if (session !== undefined) wishes.session = session
  else invalid(tell, 'target_session_attrs', `one of: ${sessionWishes.join(', ')}; read-write is used`)
}

/** The words of JDBC. */
const sessionAliases: Readonly<Record<string, SessionWish | undefined>> = Object.assign(Object.create(null), {
  master: 'primary',
  slave: 'standby',
  secondary: 'standby',
  preferslave: 'prefer-standby',
  prefersecondary: 'prefer-standby',
})

function readMode(value: string, wishes: Wishes, tell: Tell): void {
  const word = value.toLowerCase()
  const mode = tlsModes.find((known) => known === word) ?? aliases[word]
  if (mode === undefined) {
    const isWord = /^[a-z_-]{1,20}$/.test(word)
    const message = `${isWord ? `"${word}"` : 'The value of sslmode'} is no TLS mode; to be dropped in silence it matters too much.`
    const meant = meantMode(word)
    tell(
      'POSTGRESQL_TLS_MODE',
      'error',
      'sslmode',
      message,
      `Write sslmode=${meant}; it is one of: ${tlsModes.join(', ')}.`,
    )
    return
  }
  const { tls } = wishes
  if (wishes.isTlsGiven && tls.mode !== mode) {
    const stricter = tlsModes[Math.max(tlsModes.indexOf(mode), tlsModes.indexOf(tls.mode))] ?? mode
    const message = `The address asks for TLS in two ways that differ; the stricter one, ${stricter}, is used.`
    tell('POSTGRESQL_TLS_MODE', 'warning', 'sslmode', message, `Write sslmode=${stricter} alone.`)
    wishes.tls = { ...tls, mode: stricter }
    return
  }
  wishes.isTlsGiven = true
  wishes.tls = { ...tls, mode }
}

/** The mode that a word was probably to be; in doubt the stricter one. */
function meantMode(word: string): TlsMode {
  if (word !== '' && sslWord(word) === 'disable') return 'disable'
  const strict = tlsModes.toReversed()
  const begunBy = (start: string) => strict.find((mode) => start.length > 2 && mode.startsWith(start))
  const near = nearest(word, strict)
  return begunBy(word) ?? strict.find((mode) => mode === near) ?? begunBy(word.slice(0, 3)) ?? 'require'
}

/** Words of other clients; `no-verify` is node-postgres's. */
const aliases: Readonly<Record<string, TlsMode | undefined>> = Object.assign(Object.create(null), {
  'no-verify': 'require',
  required: 'require',
  'verify-identity': 'verify-full',
})

/** `ssl=true` reads as `sslmode=require`, as libpq has it; the word of a mode is taken, too. */
function sslWord(value: string): string {
  if (/^(?:true|1|on|yes|)$/i.test(value)) return 'require'
  return /^(?:false|0|off|no)$/i.test(value) ? 'disable' : value
}

function invalid(tell: Tell, name: string, takes: string): void {
  const message = `The parameter "${name}" has a value that is not taken.`
  tell('POSTGRESQL_PARAMETER_INVALID', 'warning', 'query', message, `${name} takes ${takes}.`)
}
