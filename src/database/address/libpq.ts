/** Keywords of libpq's connection strings that locate the database; at least one makes a text such a string. */
const placing: ReadonlySet<string> = new Set(['host', 'hostaddr', 'port', 'dbname', 'user', 'password'])

/** The values of a connection string, by keyword. */
export type Keywords = ReadonlyMap<string, string>

/**
 * Reads `host=db dbname=app password='a b\'c'` as libpq does: blanks around `=` do not count, values with blanks are in
 * single quotes, a backslash escapes the next character. Null for anything else. Pure and total.
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

/** False when a part that is shown may contain an address with its password. */
function isPlain(keywords: Keywords): boolean {
  const shown = ['host', 'hostaddr', 'port', 'dbname', 'user'].map((key) => keywords.get(key) ?? '')
  const [host = '', hostaddr = '', port = '', database = '', user = ''] = shown
  if (/[:@/?#=]/.test(database) || /[:/=]/.test(user)) return false
  return [host, hostaddr, port].every((text) => !/[@?#;=]|:\/\//.test(text))
}

/** Null when a quote is not closed. */
function readValue(text: string, start: number): { readonly text: string; readonly end: number } | null {
  const isQuoted = text[start] === "'"
  let value = ''
  for (let at = isQuoted ? start + 1 : start; at < text.length; at++) {
    const character = text[at] ?? ''
    if (isQuoted && character === "'") return { text: value, end: at + 1 }
    if (!isQuoted && isBlankAt(text, at)) return { text: value, end: at }
    // At the very end libpq drops it as well.
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

/** A connection string as an address. Keywords that are not parts of an address become parameters. */
export function keywordsAddress(keywords: Keywords, scheme = 'postgresql'): string {
  const get = (key: string): string | null => keywords.get(key) || null
  const [user, password, database] = [get('user'), get('password'), get('dbname')].map(encoded)
  const login = user === null ? '' : `${user}${password === null ? '' : `:${password}`}@`
  const more = [...keywords].filter(([key, value]) => !placing.has(key) && value !== '')
  // Without a user the password has no other place.
  if (user === null && password !== null) more.push(['password', get('password') ?? ''])
  const query = more.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`).join('&')
  const hosts = hostList(get('host') ?? get('hostaddr') ?? '', get('port') ?? '')
  return `${scheme}://${login}${hosts}${database === null ? '' : `/${database}`}${query === '' ? '' : `?${query}`}`
}

/** libpq lists several hosts, with one port for all or one for each. */
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

/** The options of a command that are followed by a value: those that place the database, and the others. */
export interface CommandOptions {
  readonly short: Readonly<Record<string, string>>
  readonly long: Readonly<Record<string, string>>
  readonly otherShort: string
  readonly otherLong: ReadonlySet<string>
}

const psqlOptions: CommandOptions = {
  short: { h: 'host', p: 'port', U: 'user', d: 'dbname' },
  long: { host: 'host', port: 'port', username: 'user', dbname: 'dbname' },
  otherShort: 'cfFLoPRTv',
  otherLong: new Set([
    ...['command', 'file', 'field-separator', 'log-file', 'output', 'pset', 'record-separator', 'table-attr'],
    ...['set', 'variable'],
  ]),
}

/** libpq's variables, which may be set in front of a command. */
const variables: Readonly<Record<string, string>> = {
  PGHOST: 'host',
  PGPORT: 'port',
  PGUSER: 'user',
  PGPASSWORD: 'password',
  PGDATABASE: 'dbname',
  PGSSLMODE: 'sslmode',
}

/** Each alternative begins with a different character: otherwise matching could take exponential time. */
const beginning =
  /^(?:\$\s+)?(?:(?:export|env)\s+)?(?:PG[A-Z]+=(?:"[^"]*"|'[^']*'|[^\s"']\S*)?\s+)*(?:\S*\/)?(?:psql|pgcli)\s/

/** The address in a command line of psql; null when the text is not one, or names no database. Pure and total. */
export function addressInCommand(text: string): string | null {
  const start = beginning.exec(text)?.[0]
  if (start === undefined) return null
  const keywords = new Map<string, string>()
  for (const word of splitWords(start)) {
    const [, name = '', value = ''] = /^(PG[A-Z]+)=(.*)$/s.exec(word) ?? []
    const keyword = Object.hasOwn(variables, name) ? variables[name] : undefined
    if (keyword !== undefined && value !== '') keywords.set(keyword, value)
  }
  const before = keywords.get('dbname')
  const given = readOptions(splitWords(text.slice(start.length)), psqlOptions, keywords)
  const named = keywords.get('dbname')
  // With -d another word is not a database: it may be a password typed after -W.
  const [database = named, user] = named === before ? given : []
  if (database !== undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(database)) return database
  const own = database === undefined ? null : readKeywords(database)
  if (own !== null) return keywordsAddress(new Map([...keywords, ...own]))
  if (user !== undefined) keywords.set('user', user)
  if (database !== undefined) keywords.set('dbname', database)
  return keywords.size === 0 || !isPlain(keywords) ? null : keywordsAddress(keywords)
}

/** The words that are not options, in order; the values of options go into `keywords`. */
export function readOptions(
  given: readonly string[],
  { short: shortOptions, long: longOptions, otherShort, otherLong }: CommandOptions,
  keywords: Map<string, string>,
): readonly string[] {
  const rest: string[] = []
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? ''
    const long = /^--([a-z-]+)(?:=(.*))?$/s.exec(word)
    const short = /^-([A-Za-z])(.*)$/s.exec(word)
    const name = long?.[1] ?? short?.[1]
    if (name === undefined) {
      rest.push(word)
      continue
    }
    const table = long === null ? shortOptions : longOptions
    const keyword = Object.hasOwn(table, name) ? table[name] : undefined
    const takesValue = keyword !== undefined || (long === null ? otherShort.includes(name) : otherLong.has(name))
    if (!takesValue) continue
    const attached = long === null ? short?.[2] || undefined : long[2]
    const value = attached ?? given[++at] ?? ''
    if (keyword !== undefined && value !== '') keywords.set(keyword, value)
  }
  return rest
}

/** Splits words as a shell does: both kinds of quotes, a backslash before a blank or the end of a line. */
export function splitWords(text: string): readonly string[] {
  const found: string[] = []
  let word: string | null = null
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (quote !== '') {
      if (character === quote) quote = ''
      else if (character === '\\' && quote === '"' && /["\\$`]/.test(text[at + 1] ?? '')) word += text[++at] ?? ''
      else word += character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/[\s;|&<>]/.test(character) && (/\s/.test(character) || !isInAddress(word))) {
      if (word !== null) found.push(word)
      word = null
      if (/[;|&<>]/.test(character)) return found
    } else if (character === '\\') {
      const next = text[++at] ?? ''
      word = /\s/.test(next) && next !== ' ' ? word : (word ?? '') + next
    } else word = (word ?? '') + character
  }
  return word === null ? found : [...found, word]
}

/** People omit the quotes that a shell needs: an `&` in an address separates two parameters. */
function isInAddress(word: string | null): boolean {
  return word?.includes('://') ?? false
}
