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

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray `%`: it was not encoded.
    return text
  }
}

/** A value that is not a secret, as a problem quotes it: short, on one line, with the credentials of an address masked. */
export function show(value: unknown): string {
  let shown: string | undefined
  try {
    shown = JSON.stringify(maskCredentials(value))
  } catch {
    // A cycle or a bigint: its type is enough.
  }
  if (shown === undefined) return `a ${typeof value}`
  return shown.length > shownMaxLength ? `${shown.slice(0, shownMaxLength)}...` : shown
}

/** Text (or the entries of a list) with the password masked of an address that was pasted into the wrong setting. */
export function maskCredentials(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('@') || value.includes('=') ? maskAddress(value) : value
  return Array.isArray(value) ? value.map(maskCredentials) : value
}
