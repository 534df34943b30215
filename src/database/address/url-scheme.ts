import { nearest } from '../../config/nearest.ts'
import type { Driver } from '../../driver/driver.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { showAddress } from './url-show.ts'

/** What an address begins with, or why that is nothing to go by. The sentences hold no secret. */
export type SchemeReading =
  | { readonly scheme: string }
  | { readonly code: AddressProblemCode; readonly message: string; readonly suggestion: string }

/** Words that people paste, with the driver of the house that takes them. For diagnosis only. */
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

/** Databases that speak the protocol of another: the scheme to write instead. */
const speaks: ReadonlyMap<string, string> = new Map([
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

/** Databases that no driver of the house reads. */
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

/** What listens where it usually does. */
const serverPorts: ReadonlyMap<string, string> = new Map([
  ['5432', 'postgresql'],
  ['6543', 'postgresql'],
  ['3306', 'mysql'],
])

/** The scheme in lower case without colon; null when there is none. A single letter is a drive of Windows. */
export function schemeOf(text: string): string | null {
  return /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? null
}

/** Reads the scheme of a cleaned address. `name` is what to call the setting. Pure and total. */
export function readScheme(text: string, name: string, registry: DriverRegistry): SchemeReading {
  const scheme = schemeOf(text)
  if (scheme !== null && registry.byScheme(scheme) !== null) return { scheme }
  const schemes = registry.all.flatMap((driver) => driver.schemes)
  if (scheme === null) return missing(text, name, registry)
  const base = scheme.split('+', 1)[0] ?? scheme
  if (/^https?:\/\/[^\s]*@[\w.-]+\.neon\.tech(?:[:/?]|$)/i.test(text)) {
    if (registry.byScheme('neon+https') === null) return notLoaded('neon', scheme, registry)
    return misspelt(text, scheme, 'neon+https', name, 'The host is one of Neon: write')
  }
  const isKnown = wellKnown.has(base) || speaks.has(base) || foreign.has(base)
  const loaded = registry.byScheme(base)
  const near =
    loaded !== null
      ? (nearest(scheme, loaded.schemes, 1) ?? base)
      : isKnown
        ? null
        : nearest(scheme, [...schemes, ...wellKnown.keys()])
  const isWritten = text.slice(scheme.length).startsWith('://') && !scheme.includes('.')
  // Without "//" the word may be a user or a host, and what follows it a password: then nothing of it is shown.
  if (!isWritten && near === null && !isKnown) return missing(text, name, registry)
  if (near !== null) return misspelt(text, scheme, near, name)
  const driver = wellKnown.get(base)
  if (driver !== undefined) return notLoaded(driver, scheme, registry)
  const other = speaks.get(base)
  if (other !== undefined) return misspelt(text, scheme, other, name, 'It speaks the protocol of another: write')
  return unknown(scheme, base, name, registry)
}

/** What a scheme is read as, where it is another word for the driver's own, or written in capitals; null where not, and for files. */
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
  return { message, suggestion: `Nothing needs to be done; ${own}: says the same.` }
}

/** How the driver that a word means is loaded, when it is one of the house; null for all others. */
export function houseHint(word: string): string | null {
  const driver = wellKnown.get(word.toLowerCase())
  return driver === undefined ? null : `Add "${driver}" to DRIVERS: it is one of the house's own.`
}

function misspelt(text: string, scheme: string, meant: string, name: string, lead?: string): SchemeReading {
  return {
    code: 'ADDRESS_SCHEME_UNKNOWN',
    message: `${name} begins with "${scheme}", which no driver takes.`,
    suggestion: `${lead ?? `Did you mean "${meant}"? Write`} ${showAddress(meant + text.slice(scheme.length))}`,
  }
}

function notLoaded(driver: string, scheme: string, registry: DriverRegistry): SchemeReading {
  return {
    code: 'DRIVER_NOT_INSTALLED',
    message: `The driver "${driver}" for "${scheme}:" addresses is not loaded.`,
    suggestion: `Add "${driver}" to DRIVERS. ${takes(registry)}`,
  }
}

function unknown(scheme: string, base: string, name: string, registry: DriverRegistry): SchemeReading {
  const code = 'ADDRESS_SCHEME_UNKNOWN'
  const known = foreign.get(base)
  if (known !== undefined) {
    return {
      code,
      message: `${name} begins with "${scheme}": it is an address of ${known}, for which there is no driver.`,
      suggestion: `Name a database that there is a driver for, or a driver of your own in DRIVERS. ${takes(registry)}`,
    }
  }
  if (scheme === 'http' || scheme === 'https') {
    return {
      code,
      message: `${name} is the address of a web page, not of a database.`,
      suggestion: `Copy the connection string of the database. ${takes(registry)}`,
    }
  }
  return { code, message: `${name} begins with "${scheme}", which no driver takes.`, suggestion: takes(registry) }
}

function missing(text: string, name: string, registry: DriverRegistry): SchemeReading {
  const message = `${name} does not begin with a scheme, so it does not say which kind of database it is.`
  const code = 'ADDRESS_SCHEME_MISSING'
  const embedded = registry.all.find((driver) => driver.embedded !== undefined)?.schemes[0]
  if (embedded !== undefined && /^[\w./ -]+\.(?:db|sqlite3?|s3db)$/i.test(text)) {
    return { code, message, suggestion: `For a file write ${embedded}:///${text}` }
  }
  // A word alone may be a file's name, or a password in the wrong place: shown is only what is shaped like a server.
  const isServer = /^[a-z0-9.-]{1,200}(?::(\d{1,5}))?\/[\w-]{0,80}$/i.exec(text)
  if (isServer !== null) {
    const [, port = ''] = isServer
    const kind = serverPorts.get(port)
    const more = kind === undefined ? ' with the scheme of the database in front' : ''
    return {
      code,
      message,
      suggestion: `Write ${kind ?? 'scheme'}://${text}${more}; a user goes before the host: user:***@.`,
    }
  }
  if (embedded !== undefined && /^[\w-]{1,40}$/.test(text)) {
    return {
      code,
      message,
      suggestion: `For a file write ${embedded}:///./NAME.db, for a server scheme://user:***@host:port/NAME.`,
    }
  }
  // Shown is only what is an address but for its scheme: among other words a password may stand anywhere.
  const isRest = /^[\w.+%-]+:[^\s"']*@[\w.-]+(?::\d{1,5})?(?:\/[\w-]*)?(?:\?[^\s"']*)?$/.test(text)
  const shown = isRest ? showAddress(text) : 'user:***@host:port/name'
  return { code, message, suggestion: `Write scheme://${shown} with the scheme of the database.` }
}

/** The names of clients behind a plus are left out: they would fill a screen. */
function takes({ all }: DriverRegistry): string {
  const shown = all.flatMap(({ schemes }) => {
    const plain = schemes.filter((scheme) => !scheme.includes('+'))
    return plain.length === 0 ? schemes.slice(0, 1) : plain
  })
  return shown.length === 0 ? 'No driver is loaded: see DRIVERS.' : `Installed drivers take: ${shown.join(', ')}.`
}
