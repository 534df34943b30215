/** The pieces of an address, still encoded. */
export interface Pieces {
  /** Null where there is no `@`. */
  readonly user: string | null
  /** Null where no colon follows the user. */
  readonly password: string | null
  /** Hosts with their ports, separated by commas. */
  readonly hosts: string
  /** Without the slash; null where there is none. */
  readonly database: string | null
  /** Without the question mark. */
  readonly query: string
}

/** How an address was read; `ambiguous` when more than one reading makes sense, with the character that makes it so. */
export type Split =
  | { readonly pieces: Pieces }
  | { readonly ambiguous: { readonly character: string; readonly position: number } }

/** Parameters, in lower case and without `-` and `_`, that may replace a part of the address. */
export interface PartParameters {
  readonly host: readonly string[]
  readonly database: readonly string[]
}

const oneHost = /^(?:[\w.-]+|\[[0-9a-f:.]+(?:%[\w.-]+)?\]|(?:%2f[\w.%-]*))?(?::\d{1,5})?$/i

/** Whether what follows an `@` can be hosts, a database and parameters. */
function isPlausible(tail: string, parameters: PartParameters): boolean {
  const match = /^([^/?#@]*)(?:\/([^/?#@]*))?(?:\?([^#]*))?$/.exec(tail)
  if (match === null) return false
  const [, hosts = '', database = '', query = ''] = match
  const isNamed = database !== '' || hasParameter(query, parameters.database)
  const isPlaced = hosts !== '' || hasParameter(query, parameters.host)
  return isNamed && isPlaced && hosts.split(',').every((host) => oneHost.test(host))
}

function hasParameter(query: string, names: readonly string[]): boolean {
  return query.split('&').some((pair) => {
    const equals = pair.indexOf('=')
    return equals > 0 && names.includes(lettersOf(pair.slice(0, equals)))
  })
}

/** A name by its letters alone, as they are compared: `ssl-mode`, `ssl_mode` and `sslMode` are one. */
export function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '')
}

/** Splits what follows `scheme://`. Where the strict reading fails, each `@` is tried as the end of the password. Pure, total. */
export function splitAddress(rest: string, parameters: PartParameters): Split {
  const ats = positions(rest, '@')
  if (ats.length === 0) return { pieces: withUser(null, null, rest) }
  const strict = strictAt(rest)
  if (strict === null && isWithUserBehind(rest, parameters)) return { pieces: withUser(null, null, rest) }
  const plausible = ats.filter((at) => isPlausible(rest.slice(at + 1), parameters))
  if (strict !== null && plausible.includes(strict)) return { pieces: atPosition(rest, strict) }
  const [first, ...more] = plausible
  if (first !== undefined && more.length === 0) return { pieces: atPosition(rest, first) }
  if (first !== undefined) {
    const colon = rest.indexOf(':')
    const offender = /[@/?#]/.exec(rest.slice(colon + 1))
    return { ambiguous: { character: offender?.[0] ?? '@', position: (offender?.index ?? 0) + 1 } }
  }
  // No reading is right. The last "@" is the one that shows nothing of a password.
  return { pieces: atPosition(rest, ats.at(-1) ?? 0) }
}

/** Java writes `host/name?user=u&password=p`: there an `@` is part of the password. */
function isWithUserBehind(rest: string, parameters: PartParameters): boolean {
  const [place, query] = cut(rest, '?')
  const [before] = cut(query, '@')
  return isPlausible(place, parameters) && hasParameter(before, ['user', 'username', 'password'])
}

function cut(text: string, at: string): readonly [string, string] {
  const found = text.indexOf(at)
  return found < 0 ? [text, ''] : [text.slice(0, found), text.slice(found + 1)]
}

/** The last `@` before the first of `/?#`, as the standard has it. */
function strictAt(rest: string): number | null {
  const end = rest.search(/[/?#]/)
  const at = (end < 0 ? rest : rest.slice(0, end)).lastIndexOf('@')
  return at < 0 ? null : at
}

function atPosition(rest: string, at: number): Pieces {
  const userinfo = rest.slice(0, at)
  const colon = userinfo.indexOf(':')
  const user = colon < 0 ? userinfo : userinfo.slice(0, colon)
  const password = colon < 0 ? null : userinfo.slice(colon + 1)
  return withUser(user, password, rest.slice(at + 1))
}

function withUser(user: string | null, password: string | null, tail: string): Pieces {
  const question = tail.indexOf('?')
  const body = question < 0 ? tail : tail.slice(0, question)
  const slash = body.indexOf('/')
  return {
    user,
    password,
    hosts: slash < 0 ? body : body.slice(0, slash),
    database: slash < 0 ? null : body.slice(slash + 1),
    query: question < 0 ? '' : tail.slice(question + 1),
  }
}

function positions(text: string, character: string): readonly number[] {
  const found: number[] = []
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) found.push(at)
  return found
}

/** The text without percent-encoding; `isExact` is false where a `%` begins no valid escape and the text was used as it is. */
export function decodePart(text: string): { readonly text: string; readonly isExact: boolean } {
  try {
    return { text: decodeURIComponent(text), isExact: true }
  } catch {
    return { text, isExact: false }
  }
}
