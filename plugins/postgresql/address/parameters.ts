import {
  type AddressOptions,
  chooseTls,
  commonReaders,
  isOff,
  modeOf,
  modesOf,
  type ParameterReader,
  type ParameterTable,
  type Report,
  reportInvalid,
  reportUnused,
  switchMode,
  type TlsDialect,
  tlsLimitReaders,
} from '../../../src/driver/kit/driver-kit.ts'
import { type SessionWish, sessionWishes } from './target.ts'

/** What the parameters of an address say. */
export interface PostgresqlOptions extends AddressOptions {
  channelBinding: 'disable' | 'prefer' | 'require'
  applicationName: string | null
  /** The startup packet's own. */
  options: string | null
  session: SessionWish
  isPooled: boolean
}

const unusedGss = 'Holdfast encrypts with TLS, not with Kerberos.'
const kerberos = 'Holdfast does not use Kerberos.'
const limit = 'QUERY_TIMEOUT limits each statement, which notices a lost connection sooner.'
const pool = 'POOL_SIZE and POOL_MAX_OVERFLOW set the number of connections.'
const prepared = 'Holdfast prepares statements wherever that works.'

/** Parameters of other clients that have no effect here, and why. */
const unused: Readonly<Record<string, string>> = {
  krbsrvname: kerberos,
  gsslib: kerberos,
  load_balance_hosts: 'Hosts are tried in the order in which they are listed.',
  keepalives: limit,
  keepalives_idle: limit,
  keepalives_interval: limit,
  keepalives_count: limit,
  tcp_user_timeout: limit,
  client_encoding: 'Text is always UTF-8.',
  fallback_application_name: 'The name is "holdfast" unless application_name is set.',
  sslcompression: 'TLS is never compressed.',
  sslfactory: 'sslmode decides which certificates are trusted.',
  sslhostnameverifier: 'sslmode decides which certificates are trusted.',
  sslinline: 'PEM text is recognised.',
  sslsni: 'The host name is always sent.',
  passfile:
    'Password files are not read: put the password in the address, in DATABASE_PASSWORD or in the file named by DATABASE_URL_FILE.',
  service: 'Service files are not read; the address must be complete.',
  connection_limit: pool,
  pool_timeout: 'QUERY_TIMEOUT limits the wait for a connection.',
  pool_size: pool,
  max_overflow: pool,
  statement_cache_size: prepared,
  prepared_statement_cache_size: prepared,
  supa: 'It only names the kind of address.',
  uselibpqcompat: 'The TLS modes always have the meaning that libpq gives them.',
}

/** The parameters of a PostgreSQL address. */
export function createParameters(tls: TlsDialect): ParameterTable<PostgresqlOptions> {
  const known: Readonly<Record<string, ParameterReader<PostgresqlOptions>>> = {
    user: commonReaders.user,
    username: commonReaders.user,
    password: commonReaders.password,
    host: commonReaders.host,
    hostaddr: (value, options) => {
      options.address = value
    },
    port: commonReaders.port,
    dbname: commonReaders.database,
    sslmode: (value, options, report) => chooseTls(tls, modeOf(tls, value), value, options, report),
    sslaccept: (value, options, report) => chooseTls(tls, modeOf(tls, value), value, options, report),
    gssencmode: (value, _options, report) => {
      if (value !== 'require') return reportUnused(report, 'info', 'gssencmode', unusedGss)
      const message = 'The address asks for encryption with Kerberos, which Holdfast does not use.'
      report('ADDRESS_TLS_INVALID', 'error', 'gssencmode', message, `Write sslmode=require instead. ${modesOf(tls)}`)
    },
    trustservercertificate: (value, options, report, written) => {
      // Npgsql's word; switched on it says no more than "require", which checks no certificate.
      if (!isOff(value)) return reportUnused(report, 'info', written, 'sslmode decides which certificates are trusted.')
      chooseTls(tls, 'verify-full', value, options, report)
    },
    ssl: (value, options, report) => chooseTls(tls, switchMode(tls, value, 'require'), value, options, report),
    sslrootcert: commonReaders.authority,
    sslcert: commonReaders.certificate,
    sslkey: commonReaders.key,
    sslnegotiation: readNegotiation,
    ssl_min_protocol_version: tlsLimitReaders.minVersion,
    ssl_max_protocol_version: tlsLimitReaders.maxVersion,
    channel_binding: readBinding,
    require_auth: reportDemand,
    requirepeer: reportDemand,
    application_name: (value, options) => {
      // What PostgreSQL keeps: 63 printable ASCII characters.
      options.applicationName = value.replace(/[^\x20-\x7e]/g, '?').slice(0, 63)
    },
    options: (value, options, report) => {
      if (!value.includes('\0')) options.options = value
      else report('ADDRESS_MALFORMED', 'error', 'query', 'The options contain a NUL character.', 'Remove it.')
    },
    target_session_attrs: readSession,
    targetservertype: readSession,
    schema: reportSchema,
    currentschema: reportSchema,
    search_path: reportSchema,
    connect_timeout: commonReaders.connectTimeout,
    pgbouncer: (value, options) => {
      options.isPooled = !isOff(value)
    },
  }
  const critical = {
    names: /channel_binding|ssl|tls|cert|cipher|^encrypt|verify|reject_?unauthorized|protocol_?version/,
    instead: modesOf(tls),
  }
  return { known, unused, normalize: (name) => name.toLowerCase(), critical }
}

function readBinding(value: string, options: PostgresqlOptions, report: Report): void {
  if (value === 'disable' || value === 'prefer' || value === 'require') {
    options.channelBinding = value
    return
  }
  const message = 'The value of channel_binding is not valid. The address is rejected rather than used without it.'
  const remedy = 'channel_binding accepts disable, prefer and require.'
  report('ADDRESS_TLS_INVALID', 'error', 'channel_binding', message, remedy)
}

/** libpq offers "direct" over TLS 1.2 or newer alone. */
function readNegotiation(value: string, options: PostgresqlOptions, report: Report, written: string): void {
  if (value === 'direct') tlsLimitReaders.minVersion('TLSv1.2', options, report, written)
  reportUnused(report, 'info', written, 'TLS is requested in the way that every server understands.')
}

/** What the server must be or ask for, by libpq's words. */
function reportDemand(_value: string, _options: PostgresqlOptions, report: Report, written: string): void {
  const message = `Holdfast cannot check what ${written} demands of the server. The address is rejected rather than used without it.`
  const remedy = `Remove ${written}. With sslmode=verify-full the server proves who it is.`
  report('ADDRESS_TLS_INVALID', 'error', written, message, remedy)
}

/** Prisma's, Java's and Npgsql's word for a schema: PostgreSQL itself has it among its options. */
function reportSchema(value: string, _options: PostgresqlOptions, report: Report, written: string): void {
  if (value === '' || value === 'public') {
    reportUnused(report, 'info', written, 'The search path of the role decides where tables are.')
    return
  }
  const name = /^[a-z_][a-z0-9_]{0,62}$/i.test(value) ? value : 'NAME'
  const message = `The parameter "${written}" has no effect: the search path of the role decides where tables are.`
  const remedy = `Write options=-c%20search_path%3D${name} (poolers reject it), or use ALTER ROLE ... SET search_path.`
  report('ADDRESS_PARAMETER_UNUSED', 'warning', 'query', message, remedy)
}

/** Any other word leaves the safe choice: a server that accepts writes. */
function readSession(value: string, options: PostgresqlOptions, report: Report): void {
  const word = value.toLowerCase()
  const session = sessionWishes.find((known) => known === word) ?? sessionAliases.get(word)
  if (session !== undefined) options.session = session
  else reportInvalid(report, 'target_session_attrs', `${sessionWishes.join(', ')}; read-write is used`)
}

/** The words of JDBC. */
const sessionAliases: ReadonlyMap<string, SessionWish> = new Map([
  ['master', 'primary'],
  ['slave', 'standby'],
  ['secondary', 'standby'],
  ['preferslave', 'prefer-standby'],
  ['prefersecondary', 'prefer-standby'],
])
