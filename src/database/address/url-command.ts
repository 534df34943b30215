import { isPlain, keywordsAddress, readKeywords } from './url-keywords.ts'

/** Options of psql that are followed by a value, by their letter and by their word. */
const letters: Readonly<Record<string, string>> = { h: 'host', p: 'port', U: 'user', d: 'dbname' }
const words: Readonly<Record<string, string>> = { host: 'host', port: 'port', username: 'user', dbname: 'dbname' }
const otherLetters = 'cfFLoPRTv'
const otherWords: ReadonlySet<string> = new Set([
  ...['command', 'file', 'field-separator', 'log-file', 'output', 'pset', 'record-separator', 'table-attr'],
  ...['set', 'variable'],
])

/** Variables of libpq that stand before a command. */
const variables: Readonly<Record<string, string>> = {
  PGHOST: 'host',
  PGPORT: 'port',
  PGUSER: 'user',
  PGPASSWORD: 'password',
  PGDATABASE: 'dbname',
  PGSSLMODE: 'sslmode',
}

/** Each alternative begins with another character: two that fit the same text would be tried in every combination. */
const beginning =
  /^(?:\$\s+)?(?:(?:export|env)\s+)?(?:PG[A-Z]+=(?:"[^"]*"|'[^']*'|[^\s"']\S*)?\s+)*(?:\S*\/)?(?:psql|pgcli)\s/

/** The address within a command line of psql; null when the text is none, or names no database. Pure and total. */
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
  const given = readOptions(splitWords(text.slice(start.length)), keywords)
  const named = keywords.get('dbname')
  // Beside -d there is no second name of a database: it may be the password that somebody wrote behind -W.
  const [database = named, user] = named === before ? given : []
  if (database !== undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(database)) return database
  const own = database === undefined ? null : readKeywords(database)
  if (own !== null) return keywordsAddress(new Map([...keywords, ...own]))
  if (user !== undefined) keywords.set('user', user)
  if (database !== undefined) keywords.set('dbname', database)
  return keywords.size === 0 || !isPlain(keywords) ? null : keywordsAddress(keywords)
}

/** What stands among the options without being one, in its order; the values of options go into `keywords`. */
function readOptions(given: readonly string[], keywords: Map<string, string>): readonly string[] {
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
    const table = long === null ? letters : words
    const keyword = Object.hasOwn(table, name) ? table[name] : undefined
    const takesValue = keyword !== undefined || (long === null ? otherLetters.includes(name) : otherWords.has(name))
    if (!takesValue) continue
    const beside = long === null ? short?.[2] || undefined : long[2]
    const value = beside ?? given[++at] ?? ''
    if (keyword !== undefined && value !== '') keywords.set(keyword, value)
  }
  return rest
}

/** Words as a shell has them: quotes of both kinds, a backslash before a blank or the end of a line. */
function splitWords(text: string): readonly string[] {
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

/** People leave the quotes away that a shell would need: an `&` there parts two parameters. */
function isInAddress(word: string | null): boolean {
  return word?.includes('://') ?? false
}
