/** Longer text is cut; no address is that long. */
const lengthLimit = 4_096

/** How much of a value a problem quotes. */
const shownMaxLength = 60

const secretParameter =
  /([?&;\s]|^)([\w.-]*(?:pass|pwd|secret|token|key|credential)[\w.-]*\s*=\s*)([\s\S]*?)(?=&[\w.-]+=|$)/gi

const schemePrefix = /^[^:/@]*?[a-z][a-z0-9+.-]*:\/\//i

/**
 * An address with everything that may be a password replaced by `***`, in malformed text as well. Total. When a text can
 * be read in two ways, the one that hides more wins, so a harmless part may be hidden too.
 */
export function maskAddress(text: string): string {
  const cut = text.slice(0, lengthLimit)
  const found = findPassword(cut)
  const masked = found === null ? cut : `${cut.slice(0, found.colon)}:***${cut.slice(endOf(found, cut))}`
  return masked.replace(secretParameter, '$1$2***')
}

/**
 * Everything in an address that may be its password, as written and decoded; the longest first, none empty. Total.
 * Whatever `maskAddress` hides is one of them, or part of one. Empty when there is nothing to hide.
 */
export function passwordsOf(address: string): readonly string[] {
  const cut = address.slice(0, lengthLimit)
  const found = findPassword(cut)
  const readings: string[] = []
  if (found !== null) {
    readings.push(cut.slice(found.start, found.end))
    // Also up to the first `@`: the rest may be an address that was pasted after it.
    const first = cut.indexOf('@', found.start)
    if (first >= 0 && first < found.end) readings.push(cut.slice(found.start, first))
    // Without `//` the first colon may be the scheme's: `postgres:/user:password@host`.
    if (!schemePrefix.test(cut)) readings.push(cut.slice(cut.lastIndexOf(':', found.end - 1) + 1, found.end))
  }
  for (const match of cut.matchAll(secretParameter)) {
    const value = match[3] ?? ''
    // It ends at the next parameter or at the fragment, or at neither if it contains such a character itself.
    readings.push(value, value.split(/[&#]/, 1)[0] ?? '', keywordValue(value))
  }
  const all = new Set([...readings, ...readings.map(decoded)])
  return [...all].filter((text) => text !== '').sort((a, b) => b.length - a.length)
}

/** After the `@`, unless that is part of a password among the parameters: `host:1/name?password=a@b`. */
function endOf({ end }: PasswordSpan, text: string): number {
  for (const { 0: match, 3: value = '', index } of text.matchAll(secretParameter)) {
    const last = index + match.length
    if (last - value.length <= end && end < last) return last
  }
  return end
}

/** Where the user's password is: from after its colon (`:` or `%3A`) to `end`. */
interface PasswordSpan {
  readonly colon: number
  readonly start: number
  readonly end: number
}

/** From the user's colon to the *last* `@`: a password may contain `@`, `/`, `#` or another address. */
function findPassword(text: string): PasswordSpan | null {
  const scheme = schemePrefix.exec(text)?.[0].length ?? 0
  const at = text.lastIndexOf('@')
  if (at < scheme) return scheme === 0 ? null : findCutPassword(text, scheme)
  const user = text.slice(scheme, at)
  // A blank, comma or semicolon may have been typed in its place.
  const colon = /:|%3a/i.exec(user) ?? (scheme > 0 && !/[/?#]/.test(user) ? /[\s;,]/.exec(user) : null)
  if (colon === null) return null
  const start = scheme + colon.index
  return { colon: start, start: start + colon[0].length, end: at }
}

/** Without `@`: hosts and ports are shown; a colon before anything but a port belongs to a user whose address was cut off. */
function findCutPassword(text: string, scheme: number): PasswordSpan | null {
  const authority = text.slice(scheme).split(/[/?#]/, 1)[0] ?? ''
  if (/^(?:\[[0-9a-f:.%]*\]|[^:,[\]]*)(?::\d{1,5})?(?:,[^:,]*(?::\d{1,5})?)*$/i.test(authority)) return null
  const colon = authority.indexOf(':')
  return colon < 0 ? null : { colon: scheme + colon, start: scheme + colon + 1, end: text.length }
}

/** A value in libpq's `keyword=value` form: up to a blank, or in quotes; a backslash escapes the next character. */
function keywordValue(text: string): string {
  const [, quoted, bare] = /^(?:'((?:\\[\s\S]|[^'\\])*)|((?:\\[\s\S]|[^\s\\])*))/.exec(text) ?? []
  return (quoted ?? bare ?? '').replace(/\\([\s\S])/g, '$1')
}

/** A text without percent-encoding; a text that was not encoded stays as it is. Total. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray `%`: it was not encoded.
    return text
  }
}

/**
 * Parameters of an address whose values may be shown, and the form that such a value has. A value of another form, or of
 * another parameter, may be part of a password that was not encoded.
 */
const shownParameters: readonly (readonly [RegExp, RegExp])[] = [
  [/^(?:ssl[-_]?mode|ssl|tls|channel_binding|target_session_attrs|pgbouncer|mode|cache)$/i, /^[\w-]{1,20}$/],
  [/^(?:ssl_m(?:in|ax)_protocol_version|tls[-_]?versions?|enabledTLSProtocols)$/i, /^(?:TLSv1(?:\.\d)?,?){1,4}$/],
  [/^(?:connect_?timeout|timeout|port)$/i, /^\d{1,7}$/],
  [/^(?:sslrootcert|ssl-?ca)$/i, /^(?:system|(?:\.{0,2}\/)?[\w.-]+(?:\/[\w.-]+)*\.(?:pem|crt|cer))$/],
  [/^(?:application_name|charset|collation|timezone|schema)$/i, /^[\w./+-]{1,40}$/],
  [/^(?:user|dbname|host)$/i, /^[\w.%/-]{1,80}$/],
]

/** The parameters of an address as a suggestion shows them: `***` for each value that is not known to be harmless. Total. */
export function showQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '')
  // What follows a password may be the rest of it.
  const secret = pairs.findIndex((pair) => /^[^=]*(?:pass|pwd|secret|token)/i.test(pair))
  return pairs.map((pair, index) => showParameter(pair, secret >= 0 && index > secret)).join('&')
}

function showParameter(pair: string, isBehindSecret: boolean): string {
  const [, name, value = ''] = /^([a-z][\w.-]{0,40})=([\s\S]*)$/i.exec(pair) ?? []
  if (name === undefined) return '***'
  const forms = shownParameters.filter(([names]) => names.test(name)).map(([, form]) => form)
  if (forms.some((form) => form.test(value))) return pair
  return isBehindSecret && forms.length === 0 ? '***' : `${name}=***`
}

/** An address for a suggestion: the password masked, and each parameter that is not known to be harmless. Total. */
export function showAddress(text: string): string {
  const masked = maskAddress(text)
  const question = masked.indexOf('?')
  return question < 0 ? masked : `${masked.slice(0, question)}?${showQuery(masked.slice(question + 1))}`
}

/** A value that is not a secret, as a problem quotes it: short and on one line; not one that may hold credentials. */
export function show(value: unknown): string {
  if (holdsCredentials(value)) return 'the value'
  let shown: string | undefined
  try {
    shown = JSON.stringify(value)
  } catch {
    // A bigint: its type is enough.
  }
  if (shown === undefined) return `a ${typeof value}`
  return shown.length > shownMaxLength ? `${shown.slice(0, shownMaxLength)}...` : shown
}

/** A member of an object in JSON, or in YAML on one line, as secret stores give it. */
const secretMember = /[{,]\s{0,9}["']?[\w.-]{0,40}?(?:pass|pwd|secret|token|key|credential)[\w.-]{0,40}["']?\s{0,9}:/i

/**
 * Whether a value, or an entry of a list, may be an address with credentials, or a key, in the wrong setting. An object may:
 * it has members of any name. Total.
 */
export function holdsCredentials(value: unknown): boolean {
  return (Array.isArray(value) ? value : [value]).some((one: unknown) => {
    if (typeof one !== 'string') return typeof one === 'object' && one !== null
    // An "@" before a number, or before nothing, is what a password left of an address that was cut.
    return /:\/\/[^/?#]*@|-----BEGIN|@\d*$/.test(one) || secretMember.test(one) || passwordsOf(one).length > 0
  })
}

/** The same for the value of a setting: a user with a colon may be "user:password". Total. */
export function settingHoldsCredentials(key: string, value: unknown): boolean {
  return holdsCredentials(value) || (key === 'database.username' && typeof value === 'string' && value.includes(':'))
}

/** Shorter runs of a secret are in every text; a secret that is itself as short as three characters is sought whole. */
const runLength = 4
const secretMinLength = 3
/** Runs that one regular expression looks for; a larger one takes long to compile. */
const searchedMax = 1_000

/** Words of our own sentences and suggestions: harmless where a secret contains them, and needed by the reader. */
const ownWords: ReadonlySet<string> = new Set(
  [
    'address scheme user username host hostname name port password database parameter parameters query driver drivers',
    'postgresql postgres mysql mariadb sqlite neon https localhost file folder holdfast production write with instead',
    'contains character characters sslmode mode ssl require required prefer preferred verify identity full disable',
    'disabled example 5432 3306 6543 443 loaded accept accepts error setting settings value used unknown valid invalid',
  ].flatMap((line) => line.split(' ')),
)

/** Replaces secrets in a text by `***`. Total. */
export type Mask = (text: string) => string

/**
 * The one function that keeps secrets out of what people read: it hides every run of four or more characters that a
 * secret has, in any case and however percent-encoded. Words of our own sentences stay.
 */
export function createMask(secrets: Iterable<string>): Mask {
  const runs = new Set<string>()
  for (const secret of secrets) {
    for (const { text } of [decodedText(secret), { text: lowerCase(secret) }]) {
      const length = Math.min(runLength, text.length)
      if (length < secretMinLength) continue
      for (let at = 0; at + length <= text.length; at++) runs.add(text.slice(at, at + length))
    }
  }
  if (runs.size === 0) return (text) => text
  if (runs.size > searchedMax) return (text) => hideRuns(text, runs)
  // Most texts hold no run; where nothing is percent-encoded, a search shows it in a twentieth of the time.
  const search = new RegExp([...runs].map(escapeForSearch).join('|'), 'i')
  return (text) => (text.includes('%') || search.test(text) ? hideRuns(text, runs) : text)
}

function escapeForSearch(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')
}

function hideRuns(given: string, runs: ReadonlySet<string>): string {
  const { text, starts } = decodedText(given)
  const hidden = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) {
    for (let length = secretMinLength; length <= runLength; length++)
      if (runs.has(text.slice(at, at + length))) hidden.fill(1, at, at + length)
  }
  for (const { 0: word, index } of text.matchAll(/[a-z0-9]+/g))
    if (ownWords.has(word)) hidden.fill(0, index, index + word.length)
  let shown = ''
  for (let at = 0, end = 0; at < text.length; at = end) {
    while (end < text.length && hidden[end] === hidden[at]) end++
    // A decoded character of two units is not cut.
    while (starts[end] === starts[end - 1]) end++
    const isHidden = hidden[at] === 1 && /[\p{L}\p{N}]/u.test(text.slice(at, end))
    shown += isHidden ? '***' : given.slice(starts[at], starts[end])
  }
  return shown
}

const encodedCharacter =
  /%(?:[0-7][\da-f]|[cd][\da-f]%[89ab][\da-f]|e[\da-f](?:%[89ab][\da-f]){2}|f[0-7](?:%[89ab][\da-f]){3})/iy

/** A text in lower case without percent-encoding, and where each of its units was written; the last entry is the end. */
function decodedText(given: string): { readonly text: string; readonly starts: readonly number[] } {
  let text = ''
  const starts: number[] = []
  for (let at = 0; at < given.length; ) {
    encodedCharacter.lastIndex = at
    const code = given[at] === '%' ? (encodedCharacter.exec(given)?.[0] ?? '') : ''
    const plain = lowerCase(code === '' ? (given[at] ?? '') : decoded(code))
    for (let unit = 0; unit < plain.length; unit++) starts.push(at)
    text += plain
    at += code.length || 1
  }
  return { text, starts: [...starts, given.length] }
}

/** Of the same length, unlike `toLowerCase`. */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
