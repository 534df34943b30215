/** How much of a text is looked at; longer ones are cut, since no address is that long. */
const lengthLimit = 4_096

const secretParameter =
  /([?&;\s]|^)([\w.-]*(?:pass|pwd|secret|token|key|credential)[\w.-]*\s*=\s*)([\s\S]*?)(?=&[\w.-]+=|$)/gi

const schemePrefix = /^[^:/@]*?[a-z][a-z0-9+.-]*:\/\//i

/**
 * An address as it may be shown: whatever may be a password is `***`, in malformed text as well. Total. Where a text
 * can be read in two ways the one that hides more is taken, so a harmless part may be hidden too.
 */
export function maskAddress(text: string): string {
  const cut = text.slice(0, lengthLimit)
  const found = findPassword(cut)
  const masked = found === null ? cut : `${cut.slice(0, found.colon)}:***${cut.slice(endOf(found, cut))}`
  return masked.replace(secretParameter, '$1$2***')
}

/**
 * Everything in an address that may be its password, as it stands there and decoded; the longest first, none empty. Total.
 * What `maskAddress` hides is among it or within it. None: there is nothing to hide in it.
 */
export function passwordsOf(address: string): readonly string[] {
  const cut = address.slice(0, lengthLimit)
  const found = findPassword(cut)
  const readings: string[] = []
  if (found !== null) {
    readings.push(cut.slice(found.start, found.end))
    // To the first `@` as well: the rest may be the address that was pasted behind it.
    const first = cut.indexOf('@', found.start)
    if (first >= 0 && first < found.end) readings.push(cut.slice(found.start, first))
    // Without `//` the first colon may be the scheme's: `postgres:/user:password@host`.
    if (!schemePrefix.test(cut)) readings.push(cut.slice(cut.lastIndexOf(':', found.end - 1) + 1, found.end))
  }
  for (const match of cut.matchAll(secretParameter)) {
    const value = match[3] ?? ''
    // It ends at the next parameter, at the fragment, or at neither when it holds such a character itself.
    readings.push(value, value.split(/[&#]/, 1)[0] ?? '', keywordValue(value))
  }
  const all = new Set([...readings, ...readings.map(decoded)])
  return [...all].filter((text) => text !== '').sort((a, b) => b.length - a.length)
}

/** Behind the `@`, unless that stands within a password among the parameters: `host:1/name?password=a@b`. */
function endOf({ end }: Found, text: string): number {
  for (const { 0: match, 3: value = '', index } of text.matchAll(secretParameter)) {
    const last = index + match.length
    if (last - value.length <= end && end < last) return last
  }
  return end
}

/** Where the user's password stands: from behind its colon (`:` or `%3A`) up to `end`. */
interface Found {
  readonly colon: number
  readonly start: number
  readonly end: number
}

/** From the user's colon to the *last* `@`: a password may hold `@`, `/`, `#` or another address. */
function findPassword(text: string): Found | null {
  const scheme = schemePrefix.exec(text)?.[0].length ?? 0
  const at = text.lastIndexOf('@')
  if (at < scheme) return scheme === 0 ? null : findCutPassword(text, scheme)
  const user = text.slice(scheme, at)
  // A blank, comma or semicolon may have been typed for it.
  const colon = /:|%3a/i.exec(user) ?? (scheme > 0 && !/[/?#]/.test(user) ? /[\s;,]/.exec(user) : null)
  if (colon === null) return null
  const start = scheme + colon.index
  return { colon: start, start: start + colon[0].length, end: at }
}

/** No `@`: host and ports are shown; a colon before anything but a port is a user whose address was cut off. */
function findCutPassword(text: string, scheme: number): Found | null {
  const authority = text.slice(scheme).split(/[/?#]/, 1)[0] ?? ''
  if (/^(?:\[[0-9a-f:.%]*\]|[^:,[\]]*)(?::\d{1,5})?(?:,[^:,]*(?::\d{1,5})?)*$/i.test(authority)) return null
  const colon = authority.indexOf(':')
  return colon < 0 ? null : { colon: scheme + colon, start: scheme + colon + 1, end: text.length }
}

/** As a connection string of keywords has it: up to a blank, or in quotes; a backslash takes what follows as it is. */
function keywordValue(text: string): string {
  const [, quoted, bare] = /^(?:'((?:\\[\s\S]|[^'\\])*)|((?:\\[\s\S]|[^\s\\])*))/.exec(text) ?? []
  return (quoted ?? bare ?? '').replace(/\\([\s\S])/g, '$1')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray `%`: then it was not encoded.
    return text
  }
}
