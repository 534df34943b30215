import { decodePart, type Pieces } from './address-split.ts'

/**
 * A slip of the pen through which a secret would be read as a part that is shown. The sentences and `shown` hold nothing
 * that may be one. A driver puts its own name before the code.
 */
export interface AddressSlip {
  readonly code: 'ADDRESS' | 'PASSWORD_UNCLEAR' | 'PORT_INVALID'
  readonly part: 'name' | 'user' | 'port'
  readonly message: string
  /** What may be shown of the corrected form. */
  readonly shown: { readonly user: string | null; readonly hosts: string; readonly database: string | null }
  /** Behind the corrected form: the parameters, the values masked, with their question mark. */
  readonly query: string
}

const plainHosts = /^(?:[\w.-]+|%2f[\w.%-]*|\[[\da-f:.]+\])(?::\d{1,5})?(?:,(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?)*$/i

const unknownHosts = { user: null, hosts: 'host', database: null } as const

/** Finds such a slip; `wished` is what the parameters say. Null where there is none. Pure, total. */
export function findSlip(
  pieces: Pieces,
  wished: { readonly user: string | null; readonly password: unknown },
): AddressSlip | null {
  const { user, password, hosts, database } = pieces
  const shown = plainHosts.test(hosts) ? { user: null, hosts, database } : unknownHosts
  const odd = password === null && wished.password === null ? /\s|[;,|/?#]|%3a/i.exec(user ?? '')?.[0] : undefined
  if (odd !== undefined) {
    const named = /\s/.test(odd) ? 'a blank' : `"${odd}"`
    const message = `The user holds ${named} where ":" is to stand before the password.`
    const name = database === null || parameterOf(database) !== undefined ? null : decodePart(database).text
    return { code: 'PASSWORD_UNCLEAR', part: 'user', message, shown: { ...shown, database: name }, query: '' }
  }
  const found = parameterOf(database ?? '')
  if (database !== null && found !== undefined) {
    const message = `"${found}" stands in the name of the database: the first parameter begins with "?".`
    // Without a password the user may hold it.
    const name = user === null || password === null ? null : decodePart(user).text
    const kept = shown === unknownHosts ? null : decodePart(database.split(/[&;]/, 1)[0] ?? '').text
    const pairs = [...database.split(/[&;]/).slice(1), ...pieces.query.split('&')].filter((pair) => pair !== '')
    const query = `?${pairs.map(maskedPair).join('&')}`
    return { code: 'ADDRESS', part: 'name', message, shown: { ...shown, user: name, database: kept }, query }
  }
  if (user !== null || wished.user !== null || !/^[^:,[\]]+:\d*[^\d,:][^,:]*$/.test(hosts)) return null
  const message = 'What follows the colon is no port, and no "@" stands before the host.'
  return { code: 'PORT_INVALID', part: 'port', message, shown: unknownHosts, query: '' }
}

/** `&name=` or `;name=` within the name of a database; undefined where there is none. */
function parameterOf(database: string): string | undefined {
  return /[&;][a-z][\w.-]{0,40}=/i.exec(database)?.[0]
}

function maskedPair(pair: string): string {
  if (/^ssl[-_]?mode=[a-z_-]{1,20}$/i.test(pair)) return pair
  const name = /^[a-z][\w.-]{0,40}(?==)/i.exec(pair)?.[0]
  return name === undefined ? '***' : `${name}=***`
}
