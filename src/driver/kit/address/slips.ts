import { showQuery } from '../../../config/mask.ts'
import type { AddressCode } from './problems.ts'
import { decodePart, type PartParameters, type Pieces } from './split.ts'

/** The parts of an address that may be shown. */
export interface ShownParts {
  readonly user: string | null
  readonly hosts: string
  readonly database: string | null
}

/** A typing error that would show a secret as another part. Neither the message nor `shown` holds anything that may be one. */
export interface AddressSlip {
  readonly code: AddressCode
  readonly part: 'name' | 'user' | 'port'
  readonly message: string
  /** The corrected form. */
  readonly shown: ShownParts
  /** The parameters of the corrected form, their values masked; null for those of the address. */
  readonly query: string | null
}

const plainHosts = /^(?:[\w.-]+|%2f[\w.%-]*|\[[\da-f:.]+\])(?::\d{1,5})?(?:,(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?)*$/i

const unknownHosts = { user: null, hosts: 'host', database: null } as const

/** Finds such a slip, or null; `options` is what the parameters say. Pure, total. */
export function findSlip(
  pieces: Pieces,
  options: { readonly user: string | null; readonly password: unknown },
): AddressSlip | null {
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
  if (user !== null || options.user !== null || !/^[^:,[\]]+:\d*[^\d,:][^,:]*$/.test(hosts)) return null
  const message = 'The text after the colon is not a port, and there is no "@" before the host.'
  return { code: 'ADDRESS_PORT_INVALID', part: 'port', message, shown: unknownHosts, query: null }
}

/** `&name=` or `;name=` within a database name. */
function parameterOf(database: string): string | undefined {
  return /[&;][a-z][\w.-]{0,40}=/i.exec(database)?.[0]
}

/** The parameters of an address for its corrected form, without those that became parts of it. */
export function shownQuery(query: string, { host, database }: PartParameters): string {
  // Behind a password may be the rest of it.
  if (/(?:^|&)[^=&]*pass/i.test(query)) return ''
  const parts = new Set(['user', 'username', 'hostaddr', 'port', ...host, ...database])
  const name = (pair: string): string => (pair.split('=', 1)[0] ?? '').toLowerCase().replace(/[-_]/g, '')
  const more = query.split('&').filter((pair) => !parts.has(name(pair)))
  return showQuery(more.join('&'))
}
