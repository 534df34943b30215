import type { Severity } from '../../config/problem.ts'
import { addressInCommand } from './url-command.ts'
import { keywordsAddress, readKeywords } from './url-keywords.ts'
import { showAddress } from './url-show.ts'

/** One thing that was mended in an address before it was read. */
export interface Repair {
  readonly part: string
  /** Continues "DATABASE_URL ...". */
  readonly what: string
  /** `info` for what is only another way to write the same. */
  readonly severity: Exclude<Severity, 'error'>
}

/** An address without what was pasted around it. */
export interface Cleaned {
  readonly text: string
  readonly repairs: readonly Repair[]
  /** As it should be written, the secret masked. */
  readonly corrected: string
}

interface Rule extends Omit<Repair, 'severity'> {
  /** `warning` unless told. */
  readonly severity?: Repair['severity']
  /** The mended text; the same text when there is nothing to mend. */
  mend(text: string): string
}

/**
 * The lookarounds let a pattern begin only where a run begins: from within a run of 60,000 quotes it would begin 60,000
 * times.
 *
 * In this order, again and again until nothing is left to mend: quotes may stand around quotes.
 */
const rules: readonly Rule[] = [
  {
    part: 'invisible',
    what: 'holds invisible characters (a byte order mark, or blanks of no width)',
    // An alternation: some of these join their neighbours, which a character class cannot hold.
    mend: (text) => text.replace(/\uFEFF|\u200B|\u200C|\u200D|\u2060/g, ''),
  },
  { part: 'blanks', what: 'has blanks or line ends around it', mend: (text) => text.trim() },
  {
    part: 'command',
    what: 'holds a command instead of the address alone',
    mend: (text) => addressInCommand(text) ?? text,
  },
  {
    part: 'keywords',
    what: 'is a connection string of keywords, which is read as an address',
    mend: withoutKeywords,
  },
  { part: 'newline', what: 'is broken over several lines', mend: withoutLineEnds },
  {
    part: 'name',
    what: 'repeats the name of the variable in its value',
    mend: (text) => text.replace(/^(?:(?:export|set|env)\s+)?[A-Z_][A-Z0-9_]*\s*(?:=\s*|:\s+)/, ''),
  },
  { part: 'end', what: 'ends with a comma or semicolon', mend: (text) => text.replace(/(?<![;,])[;,]+$/, '') },
  { part: 'jdbc', severity: 'info', what: 'begins with "jdbc:"', mend: (text) => text.replace(/^jdbc:/i, '') },
  { part: 'quotes', what: 'has quotes around it', mend: withoutQuotes },
  {
    part: 'brackets',
    what: 'has angle brackets around it',
    mend: (text) => text.replace(/^<(?=[^<>]+>$)([^<>]+:\/\/[^<>]+)>$/, '$1'),
  },
  {
    part: 'scheme',
    what: 'has no scheme; it is read as SQLite in memory',
    mend: (text) => (text === ':memory:' ? 'sqlite::memory:' : text),
  },
]

const passLimit = 10

function withoutLineEnds(text: string): string {
  const lines = text.split(/[\r\n\t]+/)
  return lines.length === 1 ? text : lines.map((line) => line.trim()).join('')
}

/** Takes away what copying and pasting leaves around an address; says what it was. Pure and total. */
export function cleanAddress(given: string): Cleaned {
  const repairs = new Map<string, Repair>()
  let text = given
  for (let pass = 0; pass < passLimit; pass++) {
    const before = text
    for (const { part, what, severity = 'warning', mend } of rules) {
      const mended = mend(text)
      if (mended !== text) repairs.set(part, { part, what, severity })
      text = mended
    }
    if (text === before) break
  }
  return { text, repairs: [...repairs.values()], corrected: showAddress(text) }
}

const blankWords: ReadonlySet<string> = new Set(['null', 'undefined', 'none'])

/** Whether a value says that there is no database: nothing, or the word that some language has for it. */
export function isBlank(text: string): boolean {
  const word = cleanAddress(text).text
  return word === '' || blankWords.has(word.toLowerCase())
}

function withoutKeywords(text: string): string {
  const keywords = readKeywords(text)
  return keywords === null ? text : keywordsAddress(keywords)
}

/** One pair at a time, or a quote whose partner was not copied. */
function withoutQuotes(text: string): string {
  const paired = /^(?:"(.*)"|'(.*)'|`(.*)`|“(.*)”|‘(.*)’)$/s
    .exec(text)
    ?.slice(1)
    .find((inner) => inner !== undefined)
  return paired ?? text.replace(/^["'`“‘]+/, '').replace(/(?<!["'`”’])["'`”’]+$/, '')
}
