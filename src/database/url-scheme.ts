import { maskAddress } from '../config/mask.ts'
import { nearest } from '../config/nearest.ts'
import type { DriverRegistry } from '../driver/registry.ts'
import type { AddressProblemCode } from './url-codes.ts'

/** What an address begins with, or why that is nothing to go by. The sentences hold no secret. */
export type SchemeReading =
  | { readonly scheme: string }
  | { readonly code: AddressProblemCode; readonly message: string; readonly suggestion: string }

/** Words that people paste, with the driver that takes them where it is installed. For diagnosis only. */
const wellKnown: ReadonlyMap<string, string> = new Map([
  ['postgres', 'postgresql'],
  ['postgresql', 'postgresql'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
  ['neon', 'neon'],
])

/** Drivers of the house that are still being completed: loaded only where `DRIVERS` names them. For diagnosis only. */
const underWay: ReadonlySet<string> = new Set(['postgresql'])

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
  const near = registry.byScheme(base) === null ? nearest(scheme, [...schemes, ...wellKnown.keys()]) : base
  const isWritten = text.slice(scheme.length).startsWith('://') && !scheme.includes('.')
  // Without "//" the word may be a user or a host, and what follows it a password: then nothing of it is shown.
  if (!isWritten && near === null && !wellKnown.has(base)) return missing(text, name, registry)
  const driver = wellKnown.get(base)
  if (driver !== undefined) return notInstalled(driver, scheme, schemes)
  if (near !== null) {
    return {
      code: 'ADDRESS_SCHEME_UNKNOWN',
      message: `${name} begins with "${scheme}", which no driver takes.`,
      suggestion: `Did you mean "${near}"? Write ${maskAddress(near + text.slice(scheme.length))}`,
    }
  }
  const isPage = scheme === 'http' || scheme === 'https'
  return {
    code: 'ADDRESS_SCHEME_UNKNOWN',
    message: isPage
      ? `${name} is the address of a web page, not of a database.`
      : `${name} begins with "${scheme}", which no driver takes.`,
    suggestion: `${isPage ? 'Copy the connection string of the database. ' : ''}${takes(schemes)}`,
  }
}

/** How the driver that a word means is loaded, when it is one of the house that is under way; null for all others. */
export function houseHint(word: string): string | null {
  const driver = wellKnown.get(word.toLowerCase())
  if (driver === undefined || !underWay.has(driver)) return null
  return `DRIVERS=sqlite,${driver} loads the one in the house, which is still being completed.`
}

function notInstalled(driver: string, scheme: string, schemes: readonly string[]): SchemeReading {
  const hint = houseHint(driver)
  if (hint !== null) {
    return {
      code: 'DRIVER_NOT_INSTALLED',
      message: `The driver "${driver}" for "${scheme}:" addresses is not loaded: still being completed, it counts as not installed in this release.`,
      suggestion: `${hint} ${takes(schemes)} A driver of your own is named in DRIVERS.`,
    }
  }
  return {
    code: 'DRIVER_NOT_INSTALLED',
    message: `The driver "${driver}" for "${scheme}:" addresses is not installed in this release.`,
    suggestion: `${takes(schemes)} A driver of your own is named in DRIVERS.`,
  }
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
  const shown = text.includes('@') ? maskAddress(text) : 'user:***@host:port/name'
  return { code, message, suggestion: `Write scheme://${shown} with the scheme of the database.` }
}

function takes(schemes: readonly string[]): string {
  return schemes.length === 0 ? 'No driver is loaded: see DRIVERS.' : `Installed drivers take: ${schemes.join(', ')}.`
}
