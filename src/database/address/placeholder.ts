/** A placeholder in an address that was not replaced. */
export interface Placeholder {
  /** `address` when it is the whole value. */
  readonly part: 'address' | 'password' | 'address part'
  /** As written; null where it may be a real password. */
  readonly text: string | null
}

const word =
  '(?:pass|pwd|user|role|host|port|name|db|database|url|your|region|ref|project|endpoint|server|secret|token)'

const patterns: readonly RegExp[] = [
  /\$\{\{.*?\}\}/,
  /\{\{.*?\}\}/,
  /\$\{[^}]*\}/,
  /^\$[A-Z_][A-Z0-9_]*$/i,
  /^%[A-Z_][A-Z0-9_]*%$/i,
  new RegExp(`<[^<>@/]*${word}[^<>@/]*>`, 'i'),
  /\[YOUR[-_ ][^\]]*\]/i,
  new RegExp(`\\[[A-Z_ -]*${word}[A-Z_ -]*\\](?=[:@/])`, 'i'),
  /\byour[-_](?:password|user(?:name)?|host|database|db|project|url)\b/i,
]

/** Finds `${DATABASE_URL}`, `<password>`, `[YOUR-PASSWORD]` and the like; null when there is none. Pure. */
export function findPlaceholder(text: string): Placeholder | null {
  for (const pattern of patterns) {
    const found = pattern.exec(text)
    if (found === null) continue
    if (found[0] === text) return { part: 'address', text }
    const isSecret = found.index > passwordStart(text) && found.index < text.lastIndexOf('@')
    return isSecret ? { part: 'password', text: null } : { part: 'address part', text: found[0] }
  }
  return findExample(text)
}

const login = /^[a-z][a-z0-9+.-]*:\/\/([^:@/]*)(?::([^@]*))?@([^:@/?#]*)(?::([^/?#]*))?(?:\/([^?#]*))?/i

const userWord = /^(?:db_?)?(?:user(?:_?name)?|role|me|login)$/i
const passwordWord = /^(?:db_?)?(?:pass(?:word|wd)?|pwd|pw|secret)$/i
const hostWord = /^(?:(?:db|your|my)?[-_.]?(?:host(?:_?name)?|server)|hostname_or_ip)$/i
const portWord = /^port$/i

/** `user:password@host:port/database`, copied from a manual, or a masked password. */
function findExample(text: string): Placeholder | null {
  const [whole, user = '', password = '', host = '', port = ''] = login.exec(text) ?? []
  if (whole === undefined) return null
  if (/^(?:\*{3,}|•{3,}|x{4,}|\.{3,})$/i.test(password)) return { part: 'password', text: null }
  const isWords = userWord.test(user) && passwordWord.test(password)
  if (portWord.test(port) && (hostWord.test(host) || isWords)) return { part: 'address part', text: `${host}:${port}` }
  return isWords && hostWord.test(host) ? { part: 'address part', text: host } : null
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
