import { lettersOf } from '../../driver/kit/address/split.ts'
import { type CommandOptions, keywordsAddress, readOptions, splitWords } from './libpq.ts'

/** Another way to write an address: the address, or null where the text is not written in it. Pure and total. */
type FormReader = (text: string) => string | null

/** Longer texts are not read: no connection string is that long. */
const lengthLimit = 4_096

/** The connection strings of other clients and of secret stores, with what they are called. */
export const addressForms: readonly {
  readonly part: string
  /** Continues "DATABASE_URL ...". */
  readonly what: string
  readonly read: FormReader
}[] = [
  { part: 'json', what: 'is JSON, as secret stores keep it, and is read as an address', read: jsonAddress },
  { part: 'ado.net', what: 'is a connection string of ADO.NET, which is read as an address', read: adoAddress },
  { part: 'pdo', what: 'is a data source name of PDO, which is read as an address', read: pdoAddress },
  { part: 'go', what: "is a data source name of Go's MySQL client, which is read as an address", read: goAddress },
  { part: 'command', what: 'contains a command, not the address alone', read: mysqlCommand },
]

/** Whether a text is a connection string of ADO.NET, which need not say for which database. */
export function isAdoNet(text: string): boolean {
  const found = readPairs(text)
  return found?.has('host') === true && (found.has('user') || found.has('dbname'))
}

/** By their letters alone, the names of the parts in other languages. */
const partNames: Readonly<Record<string, string>> = {
  host: 'host',
  hostname: 'host',
  server: 'host',
  datasource: 'host',
  port: 'port',
  database: 'dbname',
  dbname: 'dbname',
  initialcatalog: 'dbname',
  user: 'user',
  username: 'user',
  userid: 'user',
  uid: 'user',
  password: 'password',
  pwd: 'password',
  unixsocket: 'host',
}

/** Keys of AWS's secrets that are no parameters. */
const secretKeys: ReadonlySet<string> = new Set(['engine', 'dbinstanceidentifier', 'dbclusteridentifier', 'masterarn'])

/** `{"username": "u", "password": "p", "engine": "postgres", "host": "h", ...}` of AWS, or `{"DATABASE_URL": "..."}`. */
function jsonAddress(text: string): string | null {
  if (!text.startsWith('{') || text.length > lengthLimit) return null
  const members = jsonMembers(text)
  const url = members.find(([, value]) => /^[a-z][a-z0-9+.-]+:\/\//i.test(value))
  if (members.length === 1 && url !== undefined) return url[1]
  const keywords = new Map<string, string>()
  for (const [name, value] of members) {
    const letters = lettersOf(name)
    if (!secretKeys.has(letters)) keywords.set(partNames[letters] ?? name, value)
  }
  const engine = members.find(([name]) => lettersOf(name) === 'engine')?.[1] ?? ''
  const scheme = schemeFor(engine, keywords.get('port'))
  return scheme === null || !keywords.has('host') ? null : keywordsAddress(keywords, scheme)
}

function jsonMembers(text: string): readonly (readonly [string, string])[] {
  try {
    const found: unknown = JSON.parse(text)
    return Object.entries(Object(found)).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number' ? [[name, String(value)] as const] : [],
    )
  } catch {
    return []
  }
}

function schemeFor(engine: string, port: string | undefined): string | null {
  if (/postgres/i.test(engine)) return 'postgresql'
  if (/mysql|maria/i.test(engine)) return 'mysql'
  if (engine !== '') return null
  return port === '5432' ? 'postgresql' : port === '3306' ? 'mysql' : null
}

/** `Host=h;Username=u;...` is Npgsql's; `Server=h;Uid=u;...` is MySQL's or SQL Server's. */
function adoAddress(text: string): string | null {
  const found = isAdoNet(text) ? readPairs(text) : null
  if (found === null) return null
  const scheme = /(?:^|;)\s*host\s*=/i.test(text) ? 'postgresql' : schemeFor('', found.get('port'))
  const named = scheme ?? (/(?:^|;)\s*(?:uid|pwd)\s*=/i.test(text) ? 'mysql' : null)
  return named === null ? null : keywordsAddress(found, named)
}

/** `pgsql:host=h;port=5432;dbname=d`. */
function pdoAddress(text: string): string | null {
  const [, driver = '', pairs] = /^(pgsql|mysql):(?!\/\/)(.*)$/is.exec(text) ?? []
  const found = pairs === undefined ? null : readPairs(pairs)
  const isPlaced = found !== null && (found.has('host') || found.has('dbname'))
  return isPlaced ? keywordsAddress(found, driver.toLowerCase() === 'pgsql' ? 'postgresql' : 'mysql') : null
}

/** `Name=value;...`, a value in quotes where it contains a semicolon; null for any other text. */
function readPairs(text: string): Map<string, string> | null {
  if (text.length > lengthLimit) return null
  const found = new Map<string, string>()
  const pair = /\s*([a-z][a-z_ ]{0,40}?)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^;]*?))\s*(?:;|$)/iy
  while (pair.lastIndex < text.trimEnd().length) {
    const [whole, name = '', double, single, bare = ''] = pair.exec(text) ?? []
    if (whole === undefined) return null
    const letters = lettersOf(name)
    found.set(partNames[letters] ?? letters, double ?? single ?? bare)
  }
  const shown = ['host', 'port', 'dbname', 'user'].map((key) => found.get(key) ?? '')
  // A part that is shown must not hold an address with its password.
  return shown.some((value) => /[@?#]|:\/\//.test(value)) ? null : found
}

/** `user:password@tcp(host:3306)/name?x=y`; a password is not encoded there. */
function goAddress(text: string): string | null {
  const match = /^(mysql:\/\/)?([^:@/]+)(?::(.*))?@(tcp6?|unix)\(([^()@\s]*)\)\/([^/?#@\s]*)(?:\?([^\s]*))?$/is.exec(
    text,
  )
  if (match === null) return null
  const [, scheme, user = '', password, network = '', place = '', name = '', query = ''] = match
  const encode = (part: string): string => (scheme === undefined ? encodeURIComponent(part.toWellFormed()) : part)
  const host = network.toLowerCase() === 'unix' ? encodeURIComponent(place) : place
  const login = `${encode(user)}${password === undefined ? '' : `:${encode(password)}`}`
  return `mysql://${login}@${host}/${name}${query === '' ? '' : `?${query}`}`
}

const mysqlOptions: CommandOptions = {
  short: { h: 'host', P: 'port', u: 'user', D: 'dbname', S: 'host' },
  long: { host: 'host', port: 'port', user: 'user', database: 'dbname', socket: 'host', password: 'password' },
  otherShort: 'e',
  otherLong: new Set(['execute', 'protocol', 'default-character-set', 'defaults-file']),
}

/** `mysql -h host -u user -pPASSWORD name`: the password follows its option without a blank. */
function mysqlCommand(text: string): string | null {
  const start = /^(?:\$\s+)?(?:MYSQL_PWD=(\S+)\s+)?(?:\S*\/)?(?:mysql|mariadb)\s+(?=\S)/.exec(text)
  if (start === null || text.length > lengthLimit) return null
  const keywords = new Map<string, string>()
  if (start[1] !== undefined) keywords.set('password', start[1])
  const words = splitWords(text.slice(start[0].length)).flatMap((word) => {
    const [, password] = /^(?:-p|--password=)(.+)$/s.exec(word) ?? []
    if (password !== undefined) keywords.set('password', password)
    return password !== undefined || word === '-p' || word === '--password' ? [] : [word]
  })
  const [name, second] = readOptions(words, mysqlOptions, keywords)
  // The command accepts one name: with two, one of them is a password that follows its option after a blank, or a part of one.
  if (second !== undefined || (name !== undefined && keywords.has('dbname'))) return null
  if (name !== undefined) keywords.set('dbname', name)
  const isPlaced = ['host', 'user'].some((key) => keywords.has(key))
  const shown = ['host', 'port', 'dbname', 'user'].map((key) => keywords.get(key) ?? '')
  if (!isPlaced || shown.some((value) => /[@?#]|:\/\//.test(value))) return null
  // Without a host the command connects to this machine.
  if (!keywords.has('host')) keywords.set('host', 'localhost')
  return keywordsAddress(keywords, 'mysql')
}
