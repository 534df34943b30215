/** An API token as the settings have it: without the token itself, which no one but its holder knows. */
export interface ApiToken {
  /** Shown in the log, and what rows are owned by: `token:<name>`. */
  readonly name: string
  /** The SHA-256 of the token, in hex. */
  readonly sha256: string
  /** What it may do: `feedback:create`, `orders:*`, `*:read`. */
  readonly scopes: readonly string[]
  /** A day (until its end, UTC) or an instant; absent: never. */
  readonly expires?: string
}

/** Operations of a collection, and words for several of them, as scopes name them. */
export const scopeWords = ['create', 'list', 'get', 'update', 'delete', 'aggregate', 'read', 'write', '*'] as const

/** The names of tokens: they stand in log lines and in rows. */
export const tokenNamePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'

/** A collection, or `*` for all, and what may be done with it. */
export const scopePattern: string = `^(?:\\*|[a-z][A-Za-z0-9_]{0,62}):(?:${scopeWords.join('|').replace('*', '\\*')})$`

const sha256Pattern = '^[0-9a-fA-F]{64}$'
const tokensMax = 1_000
const scopesMax = 100

const keys: ReadonlySet<string> = new Set(['name', 'sha256', 'scopes', 'expires'])

/** The JSON Schema of the list. */
export const apiTokensJson: Readonly<Record<string, unknown>> = {
  type: 'array',
  maxItems: tokensMax,
  items: {
    type: 'object',
    required: ['name', 'sha256', 'scopes'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', pattern: tokenNamePattern },
      sha256: { type: 'string', pattern: sha256Pattern },
      scopes: { type: 'array', maxItems: scopesMax, items: { type: 'string', pattern: scopePattern } },
      expires: { type: 'string', description: 'A day or an instant: 2027-01-01, 2027-01-01T12:00:00Z.' },
    },
  },
}

/** What is wrong with a list of API tokens, without quoting more than the number of an entry; null when it is usable. */
export function apiTokensFault(value: unknown): string | null {
  if (!Array.isArray(value)) return 'is not a list'
  if (value.length > tokensMax) return `has more than ${tokensMax} entries`
  const names = new Set<unknown>()
  for (const [at, entry] of value.entries()) {
    const fault = entryFault(entry, names)
    if (fault !== null) return `has an entry (number ${at + 1}) ${fault}`
  }
  return null
}

function entryFault(entry: unknown, names: Set<unknown>): string | null {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'that is not an object'
  const unknown = Object.keys(entry).find((key) => !keys.has(key))
  if (unknown !== undefined) return 'with an unknown member. Its members are name, sha256, scopes, expires'
  const { name, sha256, scopes, expires } = entry as Partial<Record<keyof ApiToken, unknown>> // Its members are checked below.
  if (!matches(name, tokenNamePattern)) return 'whose name is not 1 to 63 letters, digits, ".", "_" and "-"'
  if (names.has(name)) return 'with the name of another entry'
  names.add(name)
  if (!matches(sha256, sha256Pattern)) return 'whose sha256 is not 64 hexadecimal digits'
  if (!Array.isArray(scopes) || scopes.length > scopesMax) return `whose scopes are not a list of at most ${scopesMax}`
  if (!scopes.every((scope) => matches(scope, scopePattern)))
    return `with a scope that is not "<collection>:<operation>". A collection is a name or *, an operation one of ${scopeWords.join(', ')}`
  if (expires !== undefined && expiryOf(expires) === null) return 'whose expires is neither a day nor an instant'
  return null
}

/** When a token stops to count, in milliseconds since 1970: a day counts whole. Null if the text is neither a day nor an instant. */
export function expiryOf(expires: unknown): number | null {
  if (typeof expires !== 'string') return null
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(expires)
  if (!isDay && !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/i.test(expires))
    return null
  const ms = Date.parse(expires)
  // `Date.parse` reads 31 February as 3 March.
  if (Number.isNaN(ms) || (isDay && new Date(ms).toISOString().slice(0, 10) !== expires)) return null
  return isDay ? ms + 86_400_000 : ms
}

/** A list of tokens as JSON text; text that is not JSON stays as it is. */
export function readApiTokens(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function matches(value: unknown, pattern: string): value is string {
  return typeof value === 'string' && new RegExp(pattern).test(value)
}
