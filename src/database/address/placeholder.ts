import { findVariable } from '../../config/formats.ts'

/** A placeholder in an address that was not replaced. */
export interface Placeholder {
  /** `address` when it is the whole value. */
  readonly part: 'address' | 'password' | 'address part'
  /** As written; null where it may be a real password. */
  readonly text: string | null
  /** What to do, as a sentence. */
  readonly hint: string
}

const word =
  '(?:pass|pwd|user|role|host|port|name|db|database|url|your|region|ref|project|endpoint|server|secret|token)'

const patterns: readonly RegExp[] = [
  new RegExp(`<[^<>@/]*${word}[^<>@/]*>`, 'i'),
  /\[YOUR[-_ ][^\]]*\]/i,
  new RegExp(`\\[[A-Z_ -]*${word}[A-Z_ -]*\\](?=[:@/])`, 'i'),
  /\byour[-_](?:password|user(?:name)?|host|database|db|project|url)\b/i,
]

/** Finds `${DATABASE_URL}`, `<password>`, `[YOUR-PASSWORD]` and the like; null when there is none. Pure. */
export function findPlaceholder(text: string): Placeholder | null {
  const variable = findVariable(text)
  if (variable !== null) return at(variable.index, variable.text, text)
  for (const pattern of patterns) {
    const found = pattern.exec(text)
    if (found !== null) return at(found.index, found[0], text)
  }
  return findExample(text)
}

function at(index: number, found: string, text: string): Placeholder {
  const hint = placeholderHint(found)
  if (found === text) return { part: 'address', text, hint }
  const start = passwordStart(text)
  const end = text.lastIndexOf('@')
  if (index > start && index < end) return { part: 'password', text: null, hint }
  // A percent-encoded password may look like a variable of Windows: `%C3%A9_8%20`.
  const isShown = end > start && index > end && !text.slice(end, index).includes('?')
  return { part: 'address part', text: isShown ? found : null, hint }
}

/** What to do about a placeholder. */
export function placeholderHint(placeholder: string): string {
  return placeholder.startsWith('$(')
    ? 'Kubernetes leaves $(NAME) as it is when NAME is defined later in the list, or not at all: define it before.'
    : 'Replace it with the real value. Holdfast does not expand variables.'
}

/** A language's word for nothing, which a template has put in the place of a value. */
const nothing = /^(?:undefined|null|None|NaN|nil)$/

const login = /^[a-z][a-z0-9+.-]*:\/\/([^:@/]*)(?::([^@]*))?@([^:@/?#]*)(?::([^/?#]*))?(?:\/([^?#]*))?/i

const userWord = /^(?:db_?)?(?:user(?:_?name)?|role|me|login)$/i
const passwordWord = /^(?:db_?)?(?:pass(?:word|wd)?|pwd|pw|secret)$/i
const hostWord = /^(?:(?:db|your|my)?[-_.]?(?:host(?:_?name)?|server)|hostname_or_ip)$/i
const portWord = /^port$/i

/** `user:password@host:port/database`, copied from a manual, or a masked password. */
function findExample(text: string): Placeholder | null {
  const [whole, user = '', password = '', host = '', port = '', name = ''] = login.exec(text) ?? []
  if (whole === undefined) return null
  const empty = [user, host, port, name].find((part) => nothing.test(part))
  if (empty !== undefined) return { part: 'address part', text: empty, hint: placeholderHint('') }
  if (nothing.test(password)) return { part: 'password', text: null, hint: placeholderHint('') }
  if (/^(?:\*{3,}|•{3,}|x{4,}|\.{3,})$/i.test(password))
    return { part: 'password', text: null, hint: placeholderHint('') }
  const isWords = userWord.test(user) && passwordWord.test(password)
  if (portWord.test(port) && (hostWord.test(host) || isWords))
    return { part: 'address part', text: `${host}:${port}`, hint: placeholderHint('') }
  return isWords && hostWord.test(host) ? { part: 'address part', text: host, hint: placeholderHint('') } : null
}

/** Whether the password looks like an example from a manual; it may still be the real one. */
export function hasExamplePassword(text: string): boolean {
  const password = login.exec(text)?.[2] ?? ''
  return /^(?:change[-_]?(?:me|it)|(?:your|my)?[-_]?pass(?:word)?|\$[A-Z][A-Z0-9_]*|replace[-_]?me|todo|secret)$/i.test(
    password,
  )
}

/** The position of the colon after the user; the end of the text when there is none. */
function passwordStart(text: string): number {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0].length ?? 0
  const colon = text.indexOf(':', scheme)
  return colon < 0 ? text.length : colon
}
