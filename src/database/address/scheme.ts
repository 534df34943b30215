import { showAddress } from '../../config/mask.ts'
import { nearest } from '../../config/nearest.ts'
import type { Driver } from '../../driver/driver.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import { isAdoNet } from './forms.ts'
import type { DatabaseCode } from './problems.ts'

/** Why an address cannot be read. The sentences hold no secret. */
export interface AddressDefect {
  readonly code: DatabaseCode
  readonly part: 'scheme' | 'address'
  readonly message: string
  readonly suggestion: string
}

/** Schemes that people paste, with the built-in driver that accepts them. For diagnosis only. */
const wellKnown: ReadonlyMap<string, string> = new Map([
  ['postgres', 'postgresql'],
  ['postgresql', 'postgresql'],
  ['pgsql', 'postgresql'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
  ['neon', 'neon'],
  ['sqlite', 'sqlite'],
  ['sqlite3', 'sqlite'],
])

/** Databases with the protocol of another, whose scheme is to be written. */
const compatible: ReadonlyMap<string, string> = new Map([
  ['cockroachdb', 'postgresql'],
  ['cockroach', 'postgresql'],
  ['crdb', 'postgresql'],
  ['yugabytedb', 'postgresql'],
  ['timescaledb', 'postgresql'],
  ['alloydb', 'postgresql'],
  ['supabase', 'postgresql'],
  ['postgis', 'postgresql'],
  ['tidb', 'mysql'],
  ['planetscale', 'mysql'],
])

/** Databases without a built-in driver. */
const foreign: ReadonlyMap<string, string> = new Map([
  ['mongodb', 'MongoDB'],
  ['redis', 'Redis'],
  ['rediss', 'Redis'],
  ['valkey', 'Valkey'],
  ['mssql', 'SQL Server'],
  ['sqlserver', 'SQL Server'],
  ['oracle', 'Oracle'],
  ['redshift', 'Amazon Redshift'],
  ['clickhouse', 'ClickHouse'],
  ['libsql', 'libSQL (Turso)'],
  ['cassandra', 'Cassandra'],
  ['snowflake', 'Snowflake'],
  ['bigquery', 'BigQuery'],
  ['duckdb', 'DuckDB'],
  ['db2', 'Db2'],
  ['elasticsearch', 'Elasticsearch'],
])

/** The usual ports of databases. */
const serverPorts: ReadonlyMap<string, string> = new Map([
  ['5432', 'postgresql'],
  ['6543', 'postgresql'],
  ['3306', 'mysql'],
])

/** The scheme in lower case without colon; null when there is none. A single letter is a Windows drive. */
export function schemeOf(text: string): string | null {
  return /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? null
}

/** Why no driver accepts the scheme of a cleaned address. `name` is what people call the setting. Pure and total. */
export function schemeDefect(text: string, name: string, registry: DriverRegistry): AddressDefect {
  const scheme = schemeOf(text)
  if (scheme === null) return missing(text, name, registry)
  const base = scheme.split('+', 1)[0] ?? scheme
  if (/^https?:\/\/[^\s]*@[\w.-]+\.neon\.tech(?:[:/?]|$)/i.test(text)) {
    if (registry.byScheme('neon+https') === null) return notLoaded('neon', scheme, registry)
    return misspelt(text, scheme, 'neon+https', name, 'The host belongs to Neon: write')
  }
  const isKnown = wellKnown.has(base) || compatible.has(base) || foreign.has(base)
  const near = nearestScheme(scheme, base, isKnown, registry)
  const isWritten = text.slice(scheme.length).startsWith('://') && !scheme.includes('.')
  // Without "//" the word may be a user or a host, and a password may follow: then nothing is shown.
  if (!isWritten && near === null && !isKnown) return missing(text, name, registry)
  if (near !== null) return misspelt(text, scheme, near, name)
  const driver = wellKnown.get(base)
  if (driver !== undefined) return notLoaded(driver, scheme, registry)
  const other = compatible.get(base)
  if (other !== undefined) return misspelt(text, scheme, other, name, `It has the protocol of ${other}: write`)
  return unknown(scheme, base, name, registry)
}

function nearestScheme(scheme: string, base: string, isKnown: boolean, registry: DriverRegistry): string | null {
  const loaded = registry.byScheme(base)
  if (loaded !== null) return nearest(scheme, loaded.schemes, 1) ?? base
  const schemes = registry.all.flatMap((driver) => driver.schemes)
  return isKnown ? null : nearest(scheme, [...schemes, ...wellKnown.keys()])
}

/** What a scheme is read as when it is another name for the driver's own, or in capitals; else null, as for files. */
export function schemeNote(
  text: string,
  name: string,
  driver: Driver,
): { readonly message: string; readonly suggestion: string } | null {
  const scheme = schemeOf(text)
  if (scheme === null || !driver.schemes.includes(scheme)) return null
  if (driver.embedded !== undefined) return null
  const written = text.slice(0, scheme.length)
  const isOwn = scheme === driver.name || scheme === driver.schemes[0]
  const own = isOwn ? scheme : driver.schemes.includes(driver.name) ? driver.name : (driver.schemes[0] ?? scheme)
  if (own === written) return null
  const message = `${name} begins with "${written}", which is read as "${own}".`
  return { message, suggestion: `Nothing to do: "${own}" means the same.` }
}

/** How to load the driver that a word names, when it is built in; else null. */
export function builtInHint(word: string): string | null {
  const driver = wellKnown.get(word.toLowerCase())
  return driver === undefined ? null : `Add "${driver}" to DRIVERS: it is built in.`
}

/** Finds a server's scheme without its "://", and a second address after the first; null when there is neither. Pure and total. */
export function findShapeDefect(text: string, name: string, registry: DriverRegistry): AddressDefect | null {
  const servers = registry.all.filter(({ embedded }) => embedded === undefined).flatMap(({ schemes }) => schemes)
  // The longest first: "postgresql" begins with "postgres" as well.
  const schemes = servers.sort((a, b) => b.length - a.length)
  return separatorDefect(text, name, schemes) ?? secondAddress(text, name, schemes)
}

function separatorDefect(text: string, name: string, schemes: readonly string[]): AddressDefect | null {
  const lower = text.slice(0, 80).toLowerCase()
  const scheme = schemes.find((one) => lower.startsWith(one))
  if (scheme === undefined) return null
  const rest = text.slice(scheme.length)
  const [separator = '', blanks = ''] = /^(\s*)[:;]{0,3}\s*[/\\]{0,4}/.exec(rest) ?? []
  const after = rest.slice(separator.length)
  if (isRight(separator, after) || isOtherWord(separator, blanks, after)) return null
  const found = separator === '' ? 'neither colon nor slashes' : `"${scheme}${separator}"`
  const message = `${name}: expected "${scheme}://", found ${found}.`
  return { code: 'ADDRESS_MALFORMED', part: 'scheme', message, suggestion: `Write ${shown(scheme, separator, after)}` }
}

/** Some clients accept three slashes, with the host omitted; then no user follows. */
function isRight(separator: string, after: string): boolean {
  if (separator === '://') return true
  return separator === ':///' && !/^[^?#]*@/.test(after)
}

/** "postgresdb.example.com:5432/app" and "postgres-7" are hosts, "mysqldump -u u" is a command; with a user it is an address. */
function isOtherWord(separator: string, blanks: string, after: string): boolean {
  if (separator === blanks) return blanks !== '' || !/^[^/?#\s]*@/.test(after) || /^[+.-]/.test(after)
  // "postgres:5432/app" is a host with its port.
  return separator === ':' && /^\d{1,5}(?:\/|$)/.test(after)
}

function shown(scheme: string, separator: string, after: string): string {
  const at = Math.max(0, after.lastIndexOf('@'))
  // "postgres:secret@host": the word is the user, who has the name of the scheme.
  if (separator === ':' && at > 0 && !after.slice(0, at).includes(':'))
    return showAddress(`${scheme}://${scheme}:${after}`)
  const masked = showAddress(`${scheme}://${after.slice(0, at)}${after.slice(at).replaceAll('\\', '/')}`)
  // A colon without "@" may be the one before a password whose end was lost.
  return after.includes('@') ? masked : `${scheme}://user:***@host:port/name`
}

function secondAddress(text: string, name: string, schemes: readonly string[]): AddressDefect | null {
  const lower = text.toLowerCase()
  const begins = schemes.find((scheme) => lower.startsWith(`${scheme}://`))
  if (begins === undefined) return null
  const found = schemes
    .map((scheme) => lower.indexOf(`${scheme}://`, begins.length + 3))
    // After an "@" it is a host that was pasted whole: its driver reports that.
    .filter((at) => at > 0 && text[at - 1] !== '@' && !isInParameters(text, at))
  if (found.length === 0) return null
  const first = text.slice(0, Math.min(...found)).replace(/(?<![\s,;|])[\s,;|]+$/, '')
  const suggestion = first.includes('@') ? showAddress(first) : `${begins}://user:***@host:port/name`
  const message = `${name} contains two addresses: the second begins at character ${Math.min(...found) + 1}.`
  return { code: 'ADDRESS_MULTIPLE', part: 'address', message, suggestion: `Use one of them: ${suggestion}` }
}

/** `?redirect=postgres://...` is a value, however odd. */
function isInParameters(text: string, at: number): boolean {
  return text[at - 1] === '=' && text.slice(0, at).includes('?')
}

function misspelt(text: string, scheme: string, meant: string, name: string, lead?: string): AddressDefect {
  const rest = text.slice(scheme.length)
  const shown = mayHoldUser(scheme, meant, rest) ? `${meant}://user:***@host:port/name` : showAddress(meant + rest)
  return {
    code: 'ADDRESS_SCHEME_UNKNOWN',
    part: 'scheme',
    message: `${name} begins with "${scheme}", which no loaded driver accepts.`,
    suggestion: `${lead ?? `Did you mean "${meant}"? Write`} ${shown}`,
  }
}

/**
 * Whether the scheme may be one that lost its "://" before the user: `postgresqlme://word@host`, of a password that begins
 * with "//". Then everything before the "@" is the password.
 */
function mayHoldUser(scheme: string, meant: string, rest: string): boolean {
  const more = scheme.toLowerCase().startsWith(meant) ? scheme.length - meant.length : 0
  return more > 1 || (more === 1 && /^:\/\/[^:@]*@/.test(rest))
}

function notLoaded(driver: string, scheme: string, registry: DriverRegistry): AddressDefect {
  return {
    code: 'ADDRESS_DRIVER_NOT_LOADED',
    part: 'scheme',
    message: `The driver "${driver}" for "${scheme}:" addresses is not loaded.`,
    suggestion: `Add "${driver}" to DRIVERS. ${accepted(registry)}`,
  }
}

function unknown(scheme: string, base: string, name: string, registry: DriverRegistry): AddressDefect {
  const code = 'ADDRESS_SCHEME_UNKNOWN'
  const part = 'scheme'
  const known = foreign.get(base)
  if (known !== undefined) {
    const message = `${name} begins with "${scheme}", the scheme of ${known}. There is no driver for it.`
    const suggestion = `Use another database, or add a driver of your own to DRIVERS. ${accepted(registry)}`
    return { code, part, message, suggestion }
  }
  if (scheme === 'http' || scheme === 'https') {
    const message = `${name} is the address of a web page, not of a database.`
    return { code, part, message, suggestion: `Copy the connection string of the database. ${accepted(registry)}` }
  }
  const message = `${name} begins with "${scheme}", which no loaded driver accepts.`
  return { code, part, message, suggestion: accepted(registry) }
}

function missing(text: string, name: string, registry: DriverRegistry): AddressDefect {
  const code = 'ADDRESS_SCHEME_MISSING'
  if (/^\/(?:[\w.-]+\/)+[\w-]+(?:\.txt)?$/.test(text)) {
    const path = /^\/(?:run|var\/run|etc|mnt)\/[\w./-]*secrets?\//.test(text) ? `=${text}` : ' to that path'
    const suggestion = `Set ${name}_FILE${path}, and remove ${name}.`
    return { code, part: 'scheme', message: `${name} is a path, not an address.`, suggestion }
  }
  if (isAdoNet(text)) {
    const message = `${name} is a connection string of ADO.NET, which does not say the kind of database.`
    const suggestion = 'Write scheme://user:***@host:port/name with the scheme of the database.'
    return { code, part: 'scheme', message, suggestion }
  }
  const message = `${name} does not begin with "scheme://", so the kind of database is unknown.`
  return { code, part: 'scheme', message, suggestion: withScheme(text, registry) }
}

/** How the text would be written with a scheme. */
function withScheme(text: string, registry: DriverRegistry): string {
  const embedded = registry.all.find((driver) => driver.embedded !== undefined)?.schemes[0]
  if (embedded !== undefined && /^[\w./ -]+\.(?:db|sqlite3?|s3db)$/i.test(text)) {
    return `For a file write ${embedded}:///${text}`
  }
  // A single word may be a file, or a password in the wrong place: only what has the form of a server is shown.
  const isServer = /^[a-z0-9.-]{1,200}(?::(\d{1,5}))?\/[\w-]{0,80}$/i.exec(text)
  if (isServer !== null) {
    const [, port = ''] = isServer
    const kind = serverPorts.get(port)
    const more = kind === undefined ? ' with the scheme of the database in front' : ''
    return `Write ${kind ?? 'scheme'}://${text}${more}; a user goes before the host: user:***@.`
  }
  if (embedded !== undefined && /^[\w-]{1,40}$/.test(text)) {
    return `For a file write ${embedded}:///./NAME.db, for a server scheme://user:***@host:port/NAME.`
  }
  // Shown is only an address without its scheme: in other texts a password may be anywhere.
  const isRest = /^[\w.+%-]+:[^\s"']*@[\w.-]+(?::\d{1,5})?(?:\/[\w-]*)?(?:\?[^\s"']*)?$/.test(text)
  return `Write scheme://${isRest ? showAddress(text) : 'user:***@host:port/name'} with the scheme of the database.`
}

/** The schemes that can be used. Those with a client's name after a plus are omitted: they would fill a screen. */
function accepted({ all }: DriverRegistry): string {
  const shown = all.flatMap(({ schemes }) => {
    const plain = schemes.filter((scheme) => !scheme.includes('+'))
    return plain.length === 0 ? schemes.slice(0, 1) : plain
  })
  return shown.length === 0 ? 'No driver is loaded: see DRIVERS.' : `Loaded drivers accept: ${shown.join(', ')}.`
}
