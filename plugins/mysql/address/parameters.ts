import {
  type AddressOptions,
  chooseTls,
  commonReaders,
  isOff,
  lettersOf,
  modeOf,
  modesOf,
  type ParameterReader,
  type ParameterTable,
  reportInvalid,
  switchMode,
  type TlsDialect,
  type TlsMode,
  tlsLimitReaders,
} from '../../../src/driver/kit/driver-kit.ts'

type Reader = ParameterReader<AddressOptions>

/** The TLS parameters of MySQL's clients. */
export const tlsDialect: TlsDialect = {
  parameter: 'ssl-mode',
  words: {
    disable: 'DISABLED',
    prefer: 'PREFERRED',
    require: 'REQUIRED',
    'verify-ca': 'VERIFY_CA',
    'verify-full': 'VERIFY_IDENTITY',
  },
  // The words of libpq, Java, Go and Prisma.
  aliases: {
    disable: 'disable',
    allow: 'prefer',
    prefer: 'prefer',
    require: 'require',
    trust: 'require',
    noverify: 'require',
    skipverify: 'require',
    acceptinvalidcerts: 'require',
    verifyfull: 'verify-full',
    strict: 'verify-full',
  },
  // "useSSL" and "requireSSL", say.
  addsUp: true,
  implied({ mode, authority }, isTlsSet) {
    // Any other mode was chosen deliberately; the authority may come from a setting that serves several addresses.
    if (mode.startsWith('verify') || (isTlsSet && mode !== 'prefer')) return null
    return authority === 'system' ? 'verify-full' : 'verify-ca'
  },
  files: {
    authority: { parameter: 'ssl-ca', setting: 'sslCa', env: 'MYSQL_SSL_CA' },
    certificate: { parameter: 'ssl-cert', setting: 'sslCert', env: 'MYSQL_SSL_CERT' },
    key: { parameter: 'ssl-key', setting: 'sslKey', env: 'MYSQL_SSL_KEY' },
  },
}

const utc = 'Times are stored and read in UTC.'
const pool = 'POOL_SIZE and POOL_MAX_OVERFLOW set the number of connections.'
const limit = 'QUERY_TIMEOUT limits each statement.'
const texts = 'Text is utf8mb4, and the tables that Holdfast creates compare it byte by byte.'
const prepared = 'Holdfast prepares statements wherever that works.'
const multi = 'One statement is sent at a time: several in one text are how injections work.'
const exact = 'Numbers are exact: those that do not fit a double are returned as text.'

/** Parameters of other clients that have no effect here, by their letters alone, and why. */
const unused: Readonly<Record<string, string>> = {
  allowpublickeyretrieval: 'The public key is requested when the server needs it.',
  authplugin: 'The server chooses the authentication plugin.',
  autoreconnect: 'Lost connections are always reopened.',
  autocommit: 'Transactions begin where they are needed.',
  cacheprepstmts: prepared,
  prepstmtcachesize: prepared,
  prepstmtcachesqllimit: prepared,
  useserverprepstmts: prepared,
  statementcachesize: prepared,
  rewritebatchedstatements: prepared,
  interpolateparams: prepared,
  charset: texts,
  characterencoding: texts,
  characterset: texts,
  useunicode: texts,
  collation: texts,
  connectioncollation: texts,
  timezone: utc,
  servertimezone: utc,
  connectiontimezone: utc,
  uselegacydatetimecode: utc,
  loc: utc,
  parsetime: utc,
  datestrings: utc,
  timetruncate: utc,
  zerodatetimebehavior: 'The server rejects such dates: each connection is in strict mode.',
  connectionlimit: pool,
  poolsize: pool,
  pooltimeout: 'QUERY_TIMEOUT limits the wait for a connection.',
  maxoverflow: pool,
  poolrecycle: pool,
  maxpoolsize: pool,
  minpoolsize: pool,
  waitforconnections: pool,
  queuelimit: pool,
  sockettimeout: limit,
  readtimeout: limit,
  writetimeout: limit,
  querytimeout: limit,
  supportbignumbers: exact,
  bignumberstrings: exact,
  decimalnumbers: exact,
  tinyint1isbit: 'A tinyint(1) is a boolean where the field is declared so.',
  usecompression: 'Nothing is compressed.',
  compress: 'Nothing is compressed.',
  compression: 'Nothing is compressed.',
  useaffectedrows: 'The rows that a statement matched are counted.',
  clientfoundrows: 'The rows that a statement matched are counted.',
  allowmultiqueries: multi,
  multistatements: multi,
  multiplestatements: multi,
  allowlocalinfile: 'No local file is sent to a server.',
  localinfile: 'No local file is sent to a server.',
  sqlmode: 'Each connection is in strict mode, so that no value is truncated silently.',
  loadbalance: 'Hosts are tried in the order in which they are listed.',
  failover: 'Hosts are tried in the order in which they are listed.',
}

/** A parameter whose value is the word of a mode. */
const mode: Reader = (value, options, report) =>
  chooseTls(tlsDialect, modeOf(tlsDialect, value), value, options, report)

/** A switch that means `on` when it is on. */
const switchTo =
  (on: TlsMode): Reader =>
  (value, options, report) =>
    chooseTls(tlsDialect, switchMode(tlsDialect, value, on), value, options, report)

/** A switch that can only ask for more: off changes nothing. */
const raiseTo =
  (on: TlsMode): Reader =>
  (value, options, report, written) => {
    if (!isOff(value)) switchTo(on)(value, options, report, written)
  }

const socket: Reader = (value, options, report, written) => {
  if (value.startsWith('/') && !value.includes('\0')) options.socket = value
  else reportInvalid(report, written, 'the absolute path of a Unix socket')
}

const known: Readonly<Record<string, Reader>> = {
  user: commonReaders.user,
  username: commonReaders.user,
  password: commonReaders.password,
  host: commonReaders.host,
  port: commonReaders.port,
  database: commonReaders.database,
  db: commonReaders.database,
  dbname: commonReaders.database,
  socket,
  unixsocket: socket,
  socketpath: socket,
  localsocket: socket,
  sslmode: mode,
  sslaccept: mode,
  ssl: (value, options, report) => {
    const json = jsonOf(value)
    const meant = json === null ? switchMode(tlsDialect, value, 'require') : jsonMode(json)
    chooseTls(tlsDialect, meant, value, options, report)
    for (const [name, reader] of jsonReaders)
      if (json?.[name] != null) reader(String(json[name]), options, report, name)
  },
  usessl: switchTo('require'),
  tls: switchTo('verify-full'),
  requiressl: raiseTo('require'),
  trustservercertificate: raiseTo('require'),
  verifyservercertificate: raiseTo('verify-ca'),
  sslverifycert: raiseTo('verify-ca'),
  sslverifyservercert: raiseTo('verify-full'),
  sslverifyidentity: raiseTo('verify-full'),
  ssldisabled: (value, options, report) => {
    if (/^(?:true|1|on|yes)$/i.test(value)) chooseTls(tlsDialect, 'disable', value, options, report)
  },
  sslca: commonReaders.authority,
  sslcafile: commonReaders.authority,
  sslrootcert: commonReaders.authority,
  serversslcert: commonReaders.authority,
  sslcert: commonReaders.certificate,
  sslclientcert: commonReaders.certificate,
  sslkey: commonReaders.key,
  tlsversion: tlsLimitReaders.versions,
  tlsversions: tlsLimitReaders.versions,
  enabledtlsprotocols: tlsLimitReaders.versions,
  enabledsslprotocolsuites: tlsLimitReaders.versions,
  sslcipher: tlsLimitReaders.ciphers,
  tlsciphersuites: tlsLimitReaders.suites,
  enabledsslciphersuites: tlsLimitReaders.allCiphers,
  connecttimeout: commonReaders.connectTimeout,
  connectiontimeout: commonReaders.connectTimeout,
}

/** The parameters of a MySQL address. */
export const parameters: ParameterTable<AddressOptions> = {
  known,
  unused,
  normalize: lettersOf,
  show: (name) => name.replace(/^ssl(?=.)/, 'ssl-'),
  critical: {
    names: /ssl|tls|cert|cipher|^encrypt|verify|rejectunauthorized|protocolversion/,
    instead: modesOf(tlsDialect),
  },
}

/** An object as Node's clients have it: `ssl={"rejectUnauthorized":true}`. */
function jsonOf(value: string): Readonly<Record<string, unknown>> | null {
  if (!value.trimStart().startsWith('{')) return null
  try {
    return JSON.parse(value) as Record<string, unknown> // An object, by its brace.
  } catch {
    return null
  }
}

function jsonMode({ rejectUnauthorized, verifyIdentity }: Readonly<Record<string, unknown>>): TlsMode {
  if (rejectUnauthorized === false) return 'require'
  return verifyIdentity === true ? 'verify-full' : 'verify-ca'
}

/** The other members of that object, by Node's names. */
const jsonReaders: readonly (readonly [string, Reader])[] = [
  ['minVersion', tlsLimitReaders.minVersion],
  ['maxVersion', tlsLimitReaders.maxVersion],
  ['ciphers', tlsLimitReaders.allCiphers],
  ['ca', commonReaders.authority],
  ['cert', commonReaders.certificate],
  ['key', commonReaders.key],
]
