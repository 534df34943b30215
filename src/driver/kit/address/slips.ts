import { showQuery } from '../../../config/mask.ts'
import type { AddressCode } from './problems.ts'
import { corrected, type ShownParts } from './reading.ts'
import { decodePart, lettersOf, type PartParameters, type Pieces } from './split.ts'

/** A typing error that would show a secret as another part. Neither the message nor `shown` holds anything that may be one. */
export interface AddressSlip {
  readonly code: AddressCode
  readonly part: 'name' | 'user' | 'port' | 'host'
  readonly message: string
  /** The corrected form. */
  readonly shown: ShownParts
  /** The parameters of the corrected form, their values masked; null for those of the address. */
  readonly query: string | null
}

const plainHosts = /^(?:[\w.-]+|%2f[\w.%-]*|\[[\da-f:.]+\])(?::\d{1,5})?(?:,(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?)*$/i

const unknownHosts = { user: null, hosts: 'host', database: null } as const

/** What the parameters say of the parts. */
interface SlipOptions {
  readonly user: string | null
  readonly password: unknown
  readonly host: string | null
  readonly socket: string | null
}

/** Finds such a slip, or null; `socket` is the parameter that names a socket. Pure, total. */
export function findSlip(pieces: Pieces, options: SlipOptions, socket: string): AddressSlip | null {
  const { user, password, hosts, database } = pieces
  const shown = plainHosts.test(hosts) ? { user: null, hosts, database } : unknownHosts
  const odd = password === null && options.password === null ? /\s|[;,|/?#]|%3a/i.exec(user ?? '')?.[0] : undefined
  if (odd !== undefined) {
    const named = /\s/.test(odd) ? 'a space' : `"${odd}"`
    const message = `The user contains ${named} where ":" was expected before the password.`
    const name = database === null || parameterOf(database) !== undefined ? null : decodePart(database).text
    return {
      code: 'ADDRESS_PASSWORD_AMBIGUOUS',
      part: 'user',
      message,
      shown: { ...shown, database: name },
      query: null,
    }
  }
  const found = parameterOf(database ?? '')
  if (database !== null && found !== undefined) {
    const message = `The database name contains "${found}"; the first parameter must follow a "?".`
    // Without a password the user may hold it.
    const name = user === null || password === null ? null : decodePart(user).text
    const kept = shown === unknownHosts ? null : decodePart(database.split(/[&;]/, 1)[0] ?? '').text
    const query = showQuery([...database.split(/[&;]/).slice(1), pieces.query].join('&'))
    return { code: 'ADDRESS_MALFORMED', part: 'name', message, shown: { ...shown, user: name, database: kept }, query }
  }
  const misplaced = options.host === null && options.socket === null ? misplacedSocket(pieces, socket) : null
  if (misplaced !== null) return misplaced
  if (user !== null || options.user !== null || !/^[^:,[\]]+:\d*[^\d,:][^,:]*$/.test(hosts)) return null
  const message = 'The text after the colon is not a port, and there is no "@" before the host.'
  return { code: 'ADDRESS_PORT_INVALID', part: 'port', message, shown: unknownHosts, query: null }
}

/** `@/cloudsql/project:region:instance/app`: the path of a socket where a host is expected. */
function misplacedSocket({ user, password, hosts, database, query }: Pieces, parameter: string): AddressSlip | null {
  const [, folder, name] = /^([\w.:/-]+)\/([\w-]+)\/?$/.exec(database ?? '') ?? []
  if (hosts !== '' || folder === undefined || name === undefined) return null
  const message = `The path of a Unix socket stands where the host is expected; it belongs in the parameter "${parameter}".`
  const named = user === null || password === null ? null : decodePart(user).text
  const more = showQuery(query)
  const shown = { user: named, hosts: '', database: name }
  return {
    code: 'ADDRESS_HOST_INVALID',
    part: 'host',
    message,
    shown,
    query: `${parameter}=/${folder}${more === '' ? '' : `&${more}`}`,
  }
}

/** `&name=` or `;name=` within a database name. */
function parameterOf(database: string): string | undefined {
  return /[&;][a-z][\w.-]{0,40}=/i.exec(database)?.[0]
}

/** What distinguishes the addresses of one kind of server. */
interface Kind {
  readonly scheme: string
  readonly knownSchemes: RegExp
  readonly defaultPort: number
}

/** An address inside another, or after it. The texts hold nothing that may be a secret. */
export function findSecondAddress(
  rest: string,
  { scheme, knownSchemes, defaultPort }: Kind,
): { readonly part: 'host' | null; readonly message: string; readonly suggestion: string } | null {
  const [, userinfo = '', second] = /^([^/?#]*)@([a-z][a-z0-9+.-]*):\/\//i.exec(rest) ?? []
  if (second !== undefined) {
    const after = /@[a-z][a-z0-9+.-]*:\/\/([\w.-]+(?::\d{1,5})?)(?:\/([\w-]+))?/i.exec(rest)
    const user = userinfo.split(/[:@]/, 1)[0] ?? null
    const shown = corrected(scheme, { user, hosts: after?.[1] ?? 'host', database: after?.[2] ?? null })
    const named = knownSchemes.test(second) ? `, "${second.toLowerCase()}://"` : ''
    return { part: 'host', message: `The host begins with a second scheme${named}.`, suggestion: `Write ${shown}` }
  }
  if (!/[a-z][a-z0-9+.-]{0,40}:\/\//i.test(rest.replace(/\?.*$/s, ''))) return null
  const message = 'The value contains two addresses, or one inside the other.'
  return { part: null, message, suggestion: `Give one address: ${scheme}://user:***@host:${defaultPort}/name` }
}

/** The parameters of an address for its corrected form, without those that became parts of it. */
export function shownQuery(query: string, { host, database }: PartParameters): string {
  // Behind a password may be the rest of it.
  if (/(?:^|&)[^=&]*pass/i.test(query)) return ''
  const parts = new Set(['user', 'username', 'hostaddr', 'port', ...host, ...database])
  const name = (pair: string): string => lettersOf(pair.split('=', 1)[0] ?? '')
  const more = query.split('&').filter((pair) => !parts.has(name(pair)))
  return showQuery(more.join('&'))
}
