import { isDeepStrictEqual } from 'node:util'
import type { Secret } from '../../../config/secret.ts'
import type { Host, HostsReading } from './hosts.ts'
import { decodePart, type Pieces } from './split.ts'

/** The parts of an address as read, before they are checked as a whole. */
export interface PartsReading {
  readonly hosts: HostsReading
  readonly user: string | null
  readonly password: Secret | null
  readonly database: string | null
}

/** What the clients of a kind of server use where an address leaves out host or user. */
export interface FillIn {
  readonly host: string
  /** Null where the operating system's user has no name. */
  user(): string | null
}

/** A part that was left out, and what it means. */
interface MissingPart {
  readonly part: 'host' | 'user' | 'database'
  readonly value: string
}

/** Fills in user and database as libpq does, and lists what was left out; the host is filled in while it is read. */
export function fillIn(
  { user, database, hosts }: PartsReading,
  defaults: FillIn | null,
): { readonly filled: Pick<PartsReading, 'user' | 'database'>; readonly missing: readonly MissingPart[] } {
  if (defaults === null) return { filled: { user, database }, missing: [] }
  const missing: MissingPart[] = []
  if ('hosts' in hosts && hosts.isDefault) missing.push({ part: 'host', value: `the socket folder ${defaults.host}` })
  const named = user || defaults.user()
  if (!user && named !== null) missing.push({ part: 'user', value: `the operating system's user "${named}"` })
  if (!database && named !== null) missing.push({ part: 'database', value: `the database "${named}"` })
  return { filled: { user: named, database: database || named }, missing }
}

/** The parts that a text has; null where it has none. */
type AuthorityParts = Pick<PartsReading, 'user' | 'password' | 'database'> & { readonly hosts: HostsReading | null }

/** The parts that parameters replace by others. */
export function replacedParts(own: AuthorityParts, given: AuthorityParts): readonly string[] {
  const isOther = (one: unknown, other: unknown): boolean =>
    Boolean(one) && other !== null && !isDeepStrictEqual(one, other)
  const placesOf = (hosts: HostsReading | null) => (hosts !== null && 'hosts' in hosts ? hosts.hosts : null)
  const isReplaced = {
    host: isOther(placesOf(own.hosts), placesOf(given.hosts)),
    user: isOther(own.user, given.user),
    password: isOther(own.password?.reveal(), given.password?.reveal() ?? null),
    name: isOther(own.database, given.database),
  }
  return Object.entries(isReplaced).flatMap(([part, isOne]) => (isOne ? [part] : []))
}

/** The name of a database without slashes around it, which web pages and joined paths add and no name has. */
export function withoutSlashes(database: string): string {
  return database.replace(/^\/+|\/+$/g, '')
}

/** A part that is used although it should be written otherwise. */
interface OddPart {
  readonly part: 'user' | 'password' | 'name'
  readonly message: string
  readonly remedy: string
}

/** The parts with characters that should be encoded or removed. */
export function oddParts({ user, password, database }: Pieces): readonly OddPart[] {
  const { isExact } = decodePart(password ?? '')
  const ofPassword = [...(password?.match(/[@/?#\s]/g) ?? []), ...(isExact ? [] : ['%'])]
  const found = [...unencoded('user', user?.match(/[@/?#]/g) ?? []), ...unencoded('password', ofPassword)]
  const name = database ?? ''
  if (withoutSlashes(name) === name || withoutSlashes(name) === '') return found
  const message = 'The database name has a slash too many, which is ignored.'
  return [...found, { part: 'name', message, remedy: 'Remove the slash' }]
}

function unencoded(part: 'user' | 'password', found: readonly string[]): readonly OddPart[] {
  const characters = [...new Set(found)]
  if (characters.length === 0) return []
  const named = characters.map((one) => `"${one}"`).join(', ')
  const codes = characters.map((one) => `"${encodeURIComponent(one)}" for "${one}"`).join(', ')
  const message = `The ${part} contains ${named} unencoded; it is used unchanged.`
  return [{ part, message, remedy: `Write ${codes}` }]
}

/** Hosts in the place of those that may hold a secret. */
export const unknownHosts: HostsReading = { hosts: [{ host: 'host', port: 0 }], isDefault: false }

/** A reading as a corrected address, its secrets masked. */
export function showReading(
  { hosts, user, password, database }: PartsReading,
  { scheme, formatHost }: { readonly scheme: string; formatHost(host: Host): string },
  query: string,
): string {
  if ('hosts' in hosts) {
    const shown = hosts === unknownHosts ? 'host' : hosts.hosts.map((host) => formatHost(host)).join(',')
    return corrected(scheme, { user, hosts: shown, database }, password !== null, query)
  }
  const { code, hosts: right } = hosts.defect
  if (user !== null) return corrected(scheme, { user, hosts: right, database }, password !== null, query)
  // Without a user, what follows a wrong host may be the end of a password whose "@" was lost.
  const isSafe = code === 'ADDRESS_HOST_MISSING'
  return corrected(scheme, { user, hosts: right.replace(/,.*$/s, ''), database: isSafe ? database : null }, true, query)
}

/** The parts of an address that may be shown. */
export interface ShownParts {
  /** Null where it is unknown, or may hold a secret. */
  readonly user: string | null
  readonly hosts: string
  readonly database: string | null
}

/** The corrected form of an address, its secrets masked. */
export function corrected(
  scheme: string,
  { user, hosts, database }: ShownParts,
  hasPassword = true,
  query = '',
): string {
  const name = database === null || database === '' ? 'name' : encodeURIComponent(database.toWellFormed())
  const password = hasPassword || user === null ? ':***' : ''
  const login = `${encodeURIComponent((user ?? 'user').toWellFormed())}${password}`
  return `${scheme}://${login}@${hosts}/${name}${query === '' ? '' : `?${query}`}`
}
