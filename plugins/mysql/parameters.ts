import { decodePart, nearest, Secret } from '../../src/driver/kit/driver-kit.ts'
import type { Tell, Tls } from './target.ts'
import { jsonMode, modeOf, modesTold, switchMode, type TlsWish, wishTls } from './tls-modes.ts'

/** What the query of an address wishes. */
export interface Wishes extends TlsWish {
  user: string | null
  password: Secret | null
  host: string | null
  /** The file of a Unix socket. */
  socket: string | null
  port: string | null
  database: string | null
  tls: Tls
  /** True when the address says how it wants TLS. */
  isTlsGiven: boolean
  connectMs: number | null
}

type Reader = (value: string, wishes: Wishes, tell: Tell, written: string) => void

const utc = 'Instants are kept and read in UTC.'
const pool = 'POOL_SIZE and POOL_MAX_OVERFLOW say how many connections there are.'
const limit = 'QUERY_TIMEOUT limits each statement.'
const texts = 'Texts are utf8mb4, and the tables that are made here compare them byte by byte.'
const prepared = 'Statements are prepared where that works.'
const ciphers = "Node's own versions and ciphers of TLS count."
const exact = 'Numbers are exact: those that a double cannot hold come as text.'

/** Parameters that other clients take and that change nothing here, by their letters alone; said once, with the reason. */
const unneeded: Readonly<Record<string, string>> = {
  allowpublickeyretrieval: 'The key is asked for where the server wants it.',
  authplugin: 'The server says how it wants the password.',
  autoreconnect: 'Lost connections are opened anew anyway.',
  autocommit: 'Transactions are begun where they are needed.',
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
  zerodatetimebehavior: 'The servers are asked to refuse such dates.',
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
  tinyint1isbit: 'A tinyint(1) is a boolean where a field is one.',
  usecompression: 'Nothing is compressed.',
  compress: 'Nothing is compressed.',
  compression: 'Nothing is compressed.',
  useaffectedrows: 'The rows that a statement met are counted.',
  clientfoundrows: 'The rows that a statement met are counted.',
  allowmultiqueries: 'One statement is sent at a time: several in one text are how injections work.',
  multistatements: 'One statement is sent at a time: several in one text are how injections work.',
  multiplestatements: 'One statement is sent at a time: several in one text are how injections work.',
  allowlocalinfile: 'No server is given a file of this machine.',
  localinfile: 'No server is given a file of this machine.',
  sqlmode: 'The strict mode is set on each connection, so that nothing is cut off in silence.',
  tlsversion: ciphers,
  tlsversions: ciphers,
  enabledtlsprotocols: ciphers,
  enabledsslprotocolsuites: ciphers,
  sslcipher: ciphers,
  tlsciphersuites: ciphers,
  enabledsslciphersuites: ciphers,
  loadbalance: 'The hosts are tried in the order in which they stand.',
  failover: 'The hosts are tried in the order in which they stand.',
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
  port: (value, wishes) => {
    wishes.port = value
  },
  database: (value, wishes) => {
    wishes.database = value
  },
  db: (value, wishes) => {
    wishes.database = value
  },
  dbname: (value, wishes) => {
    wishes.database = value
  },
  socket: readSocket,
  unixsocket: readSocket,
  socketpath: readSocket,
  localsocket: readSocket,
  sslmode: (value, wishes, tell) => wishTls(modeOf(value), value, wishes, tell),
  ssl: (value, wishes, tell) => wishTls(jsonMode(value) ?? switchMode(value, 'required'), value, wishes, tell),
  tls: (value, wishes, tell) => wishTls(switchMode(value, 'verify_identity'), value, wishes, tell),
  usessl: (value, wishes, tell) => wishTls(switchMode(value, 'required'), value, wishes, tell),
  requiressl: (value, wishes, tell) => wishMore(value, 'required', wishes, tell),
  sslaccept: (value, wishes, tell) => wishTls(modeOf(value), value, wishes, tell),
  ssldisabled: (value, wishes, tell) => {
    if (/^(?:true|1|on|yes)$/i.test(value)) wishTls('disabled', value, wishes, tell)
  },
  verifyservercertificate: (value, wishes, tell) => wishMore(value, 'verify_ca', wishes, tell),
  sslverifyservercert: (value, wishes, tell) => wishMore(value, 'verify_identity', wishes, tell),
  sslverifycert: (value, wishes, tell) => wishMore(value, 'verify_ca', wishes, tell),
  sslverifyidentity: (value, wishes, tell) => wishMore(value, 'verify_identity', wishes, tell),
  trustservercertificate: (value, wishes, tell) => wishMore(value, 'required', wishes, tell),
  sslca: readAuthority,
  sslcafile: readAuthority,
  sslrootcert: readAuthority,
  serversslcert: readAuthority,
  sslcert: readCertificate,
  sslclientcert: readCertificate,
  sslkey: (value, wishes) => {
    wishes.tls = { ...wishes.tls, key: new Secret(value) }
  },
  connecttimeout: readLimit,
  connectiontimeout: readLimit,
}

/** Reads the query into the wishes; tells every parameter that is not used. Never throws. */
export function readParameters(query: string, wishes: Wishes, tell: Tell): void {
  const seen = new Set<string>()
  for (const pair of query.split('&').slice(0, 100)) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const written = decodePart(equals < 0 ? pair : pair.slice(0, equals)).text
    const value = equals < 0 ? '' : decodePart(pair.slice(equals + 1)).text
    // ssl-mode, ssl_mode and sslMode are one.
    const name = written.toLowerCase().replace(/[-_]/g, '')
    if (seen.has(name)) {
      const message = `The parameter ${shownName(written)} is given twice.`
      tell('MYSQL_PARAMETER_INVALID', 'warning', 'query', message, 'Give it once; the last one counts.')
    }
    seen.add(name)
    readOne(name, written, value, wishes, tell)
  }
}

function readOne(name: string, written: string, value: string, wishes: Wishes, tell: Tell): void {
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined
  if (reader !== undefined) {
    reader(value, wishes, tell, written)
    return
  }
  const why = Object.hasOwn(unneeded, name) ? unneeded[name] : undefined
  const shown = shownName(written)
  if (why !== undefined) {
    const message = `The parameter ${shown} has no meaning here. ${why}`
    tell('MYSQL_PARAMETER_UNNEEDED', 'info', 'query', message, `Take ${shown} away.`)
    return
  }
  const near = nearest(name, Object.keys(readers))?.replace(/^ssl(?=.)/, 'ssl-')
  const meant = near === undefined ? '' : `Did you mean "${near}"? `
  if (/^(?:ssl|tls)/.test(name)) {
    tell('MYSQL_TLS_MODE', 'error', 'query', `The parameter ${shown}, about TLS, is unknown.`, `${meant}${modesTold}`)
    return
  }
  const message = `The parameter ${shown} is unknown, and not used.`
  tell('MYSQL_PARAMETER_UNKNOWN', 'warning', 'query', message, `${meant}Correct or remove ${shown}.`)
}

/** What stands at the place of a name may be anything, also the end of a password. */
function shownName(name: string): string {
  return /^[a-z][a-z0-9_.-]{0,40}$/i.test(name) ? `"${name}"` : 'without a usable name'
}

/** A switch that only ever asks for more; switched off it takes nothing back. */
function wishMore(value: string, mode: Tls['mode'], wishes: Wishes, tell: Tell): void {
  if (/^(?:false|0|off|no)$/i.test(value)) return
  wishTls(switchMode(value, mode), value, wishes, tell)
}

function readSocket(value: string, wishes: Wishes, tell: Tell, written: string): void {
  if (value.startsWith('/') && !value.includes('\0')) wishes.socket = value
  else invalid(tell, written, 'the absolute path of the file of a Unix socket')
}

function readAuthority(value: string, wishes: Wishes): void {
  wishes.tls = { ...wishes.tls, authority: value }
}

function readCertificate(value: string, wishes: Wishes): void {
  wishes.tls = { ...wishes.tls, certificate: new Secret(value) }
}

/** With an underscore or a hyphen it is Python's and the command line's, in seconds; without it Java's and Node's, in milliseconds. */
function readLimit(value: string, wishes: Wishes, tell: Tell, written: string): void {
  const inSeconds = /[-_]/.test(written)
  const match = /^(\d{1,7})(ms|s)?$/.exec(value)
  if (match === null) {
    invalid(tell, written, inSeconds ? 'a number of seconds' : 'a number of milliseconds')
    return
  }
  const count = Number(match[1])
  const ms = match[2] === 's' || (match[2] === undefined && inSeconds) ? count * 1_000 : count
  wishes.connectMs = ms === 0 ? null : ms
}

function invalid(tell: Tell, name: string, takes: string): void {
  const message = `The parameter ${shownName(name)} has a value that is not taken.`
  tell('MYSQL_PARAMETER_INVALID', 'warning', 'query', message, `${shownName(name)} takes ${takes}.`)
}
