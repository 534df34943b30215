/** The words of libpq's connection strings that say where the database is; at least one makes a text such a string. */
const placing: ReadonlySet<string> = new Set(['host', 'hostaddr', 'port', 'dbname', 'user', 'password'])

/** What a connection string says, by keyword. */
export type Keywords = ReadonlyMap<string, string>

/**
 * Reads `host=db dbname=app password='a b\'c'` as libpq does: blanks around `=` do not count, a value with blanks stands
 * in single quotes, a backslash takes the next character as it is. Null for anything else. Pure and total.
 */
export function readKeywords(text: string): Keywords | null {
  const found = new Map<string, string>()
  let at = skipBlanks(text, 0)
  while (at < text.length) {
    const key = /^[a-z][a-z_]{0,39}/.exec(text.slice(at, at + 41))?.[0]
    if (key === undefined) return null
    at = skipBlanks(text, at + key.length)
    if (text[at] !== '=') return null
    const value = readValue(text, skipBlanks(text, at + 1))
    if (value === null) return null
    found.set(key, value.text)
    at = skipBlanks(text, value.end)
  }
  return [...found.keys()].some((key) => placing.has(key)) && isPlain(found) ? found : null
}

/** False where a part that may be shown holds what may be an address with its password. */
export function isPlain(keywords: Keywords): boolean {
  const shown = ['host', 'hostaddr', 'port', 'dbname', 'user'].map((key) => keywords.get(key) ?? '')
  const [host = '', hostaddr = '', port = '', database = '', user = ''] = shown
  if (/[:@/?#=]/.test(database) || /[:/=]/.test(user)) return false
  return [host, hostaddr, port].every((text) => !/[@?#;=]|:\/\//.test(text))
}

/** Null where a quote is never closed. */
function readValue(text: string, start: number): { readonly text: string; readonly end: number } | null {
  const isQuoted = text[start] === "'"
  let value = ''
  for (let at = isQuoted ? start + 1 : start; at < text.length; at++) {
    const character = text[at] ?? ''
    if (isQuoted && character === "'") return { text: value, end: at + 1 }
    if (!isQuoted && isBlankAt(text, at)) return { text: value, end: at }
    // At the very end libpq drops it, too.
    value += character === '\\' ? (text[++at] ?? '') : character
  }
  return isQuoted ? null : { text: value, end: text.length }
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && isBlankAt(text, at)) at++
  return at
}

function isBlankAt(text: string, at: number): boolean {
  return /\s/.test(text[at] ?? '')
}

/** The same as an address. What names no part of it becomes a parameter. */
export function keywordsAddress(keywords: Keywords): string {
  const get = (key: string): string | null => keywords.get(key) || null
  const [user, password, database] = [get('user'), get('password'), get('dbname')].map(encoded)
  const login = user === null ? '' : `${user}${password === null ? '' : `:${password}`}@`
  const more = [...keywords].filter(([key, value]) => !placing.has(key) && value !== '')
  // Without a user the password has no other place.
  if (user === null && password !== null) more.push(['password', get('password') ?? ''])
  const query = more.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`).join('&')
  const hosts = hostList(get('host') ?? get('hostaddr') ?? '', get('port') ?? '')
  return `postgresql://${login}${hosts}${database === null ? '' : `/${database}`}${query === '' ? '' : `?${query}`}`
}

/** Several hosts, and one port for all or one for each, stand in lists. */
function hostList(names: string, ports: string): string {
  const each = ports.split(',')
  return names
    .split(',')
    .map((name, index) => {
      const port = (each.length === 1 ? each[0] : each[index])?.trim() ?? ''
      const host = name.trim()
      const shown = host.startsWith('/') ? encodeURIComponent(host) : host.includes(':') ? `[${host}]` : host
      return port === '' || (host === '' && names !== '') ? shown : `${shown}:${port}`
    })
    .join(',')
}

function encoded(text: string | null): string | null {
  return text === null ? null : encodeURIComponent(text.toWellFormed())
}
