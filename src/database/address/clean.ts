import type { Severity } from '../../config/problem.ts'
import { addressForms } from './forms.ts'
import { addressInCommand, keywordsAddress, readKeywords } from './libpq.ts'

/** One repair of an address before it was read. */
export interface Repair {
  readonly part: string
  /** Continues "DATABASE_URL ...". */
  readonly what: string
  /** `info` for another way to write the same. */
  readonly severity: Exclude<Severity, 'error'>
}

/** An address without what was pasted around it. */
export interface CleanedAddress {
  readonly text: string
  readonly repairs: readonly Repair[]
}

interface CleaningRule extends Omit<Repair, 'severity'> {
  /** Defaults to `warning`. */
  readonly severity?: Repair['severity']
  /** The repaired text; the same text when there is nothing to repair. */
  repair(text: string): string
}

/**
 * Applied in this order until none changes anything, since quotes may surround quotes. The lookarounds let a pattern
 * start only at the start of a run: within 60,000 quotes it would otherwise start 60,000 times.
 */
const rules: readonly CleaningRule[] = [
  {
    part: 'invisible',
    what: 'contains invisible characters (a byte order mark, or zero-width spaces)',
    // An alternation, because a character class cannot contain those that join their neighbours.
    repair: (text) => text.replace(/\uFEFF|\u200B|\u200C|\u200D|\u2060/g, ''),
  },
  { part: 'blanks', what: 'has blanks or line ends around it', repair: (text) => text.trim() },
  {
    part: 'command',
    what: 'contains a command, not the address alone',
    repair: (text) => addressInCommand(text) ?? text,
  },
  {
    part: 'keywords',
    what: 'is a connection string of keywords, which is read as an address',
    repair: withoutKeywords,
  },
  ...addressForms.map(({ part, what, read }) => ({ part, what, repair: (text: string) => read(text) ?? text })),
  { part: 'newline', what: 'is broken over several lines', repair: withoutLineEnds },
  {
    part: 'comment',
    what: 'has a comment behind it',
    // An "@" behind the number sign would make it part of a password.
    repair: (text) => text.replace(/^("[^"]*"|'[^']*'|[a-z][a-z0-9+.-]*:\/\/\S*)[ \t]+#[^@]*$/i, '$1'),
  },
  {
    part: 'name',
    what: 'repeats the name of the variable in its value',
    // As in shells, env files, lists of YAML and Dockerfiles, where the equals sign may be a blank.
    repair: (text) =>
      text
        .replace(/^-\s+(?=["']?[A-Z_][A-Z0-9_]*\s*[=:])/, '')
        .replace(/^(?:(?:export|set|env|ENV|ARG)\s+)?[A-Z_][A-Z0-9_]*\s*(?:=\s*|:\s+)/, '')
        .replace(/^(?:ENV|ARG)\s+[A-Z_][A-Z0-9_]*\s+(?=\S)/, ''),
  },
  { part: 'end', what: 'ends with a comma or semicolon', repair: (text) => text.replace(/(?<![;,])[;,]+$/, '') },
  { part: 'jdbc', severity: 'info', what: 'begins with "jdbc:"', repair: (text) => text.replace(/^jdbc:/i, '') },
  {
    part: 'r2dbc',
    severity: 'info',
    what: 'begins with "r2dbc:"',
    repair: (text) => text.replace(/^r2dbcs?:(?:pool:)?/i, ''),
  },
  {
    part: 'escapes',
    what: 'has "\\/" for slashes, as JSON may',
    repair: (text) => (/^[a-z][a-z0-9+.-]*:\\\/\\\//i.test(text) ? text.replaceAll('\\/', '/') : text),
  },
  {
    part: 'html',
    what: 'has "&amp;" between parameters, as a web page may',
    repair: (text) => text.replace(/\?[^?@]*&amp;[^?@]*$/, (query) => query.replaceAll('&amp;', '&')),
  },
  { part: 'quotes', what: 'has quotes around it', repair: withoutQuotes },
  {
    part: 'brackets',
    what: 'has angle brackets around it',
    repair: (text) => text.replace(/^<(?=[^<>]+>$)([^<>]+:\/\/[^<>]+)>$/, '$1'),
  },
  {
    part: 'scheme',
    what: 'has no scheme; it is read as SQLite in memory',
    repair: (text) => (text === ':memory:' ? 'sqlite::memory:' : text),
  },
]

const passLimit = 10

/** Removes what copying and pasting leaves around an address, and lists the repairs. Pure and total. */
export function cleanAddress(given: string): CleanedAddress {
  const repairs = new Map<string, Repair>()
  let text = given
  for (let pass = 0; pass < passLimit; pass++) {
    const before = text
    for (const { part, what, severity = 'warning', repair } of rules) {
      const repaired = repair(text)
      if (repaired !== text) repairs.set(part, { part, what, severity })
      text = repaired
    }
    if (text === before) break
  }
  return { text, repairs: [...repairs.values()] }
}

const blankWords: ReadonlySet<string> = new Set(['', 'null', 'undefined', 'none'])

/** Whether a cleaned value means that there is no database: empty, or a language's word for nothing. */
export function isBlank({ text }: CleanedAddress): boolean {
  return blankWords.has(text.toLowerCase())
}

function withoutLineEnds(text: string): string {
  const lines = text.split(/[\r\n\t]+/)
  return lines.length === 1 ? text : lines.map((line) => line.trim()).join('')
}

function withoutKeywords(text: string): string {
  const keywords = readKeywords(text)
  return keywords === null ? text : keywordsAddress(keywords)
}

/** Removes one pair of quotes, or quotes whose partners were not copied. */
function withoutQuotes(text: string): string {
  const paired = /^(?:"(.*)"|'(.*)'|`(.*)`|“(.*)”|‘(.*)’)$/s
    .exec(text)
    ?.slice(1)
    .find((inner) => inner !== undefined)
  return paired ?? text.replace(/^["'`“‘]+/, '').replace(/(?<!["'`”’])["'`”’]+$/, '')
}
