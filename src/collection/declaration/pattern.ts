import { createRequire } from 'node:module'
import { bounds } from './declaration.ts'
import { translatePattern } from './pattern-translation.ts'

/** Checks whether text matches a pattern. `toString` returns the pattern. */
export interface Matcher {
  test(text: string): boolean
  toString(): string
}

/** A pattern that may check untrusted text. */
export interface SafePattern {
  readonly matcher: Matcher
  /** Steps of the linear-time engine that the worst text of `maxLength` characters takes. */
  cost(maxLength: number): number
}

/**
 * How many steps the patterns of one collection may take together. 60,000 take about 0.03 s, and a rejected body is checked
 * twice; so no body holds the process for longer than a tenth of a second.
 */
export const maxPatternCost = 60_000

/** Paths that a pattern may leave to Node's engine, in bits: it backtracks and cannot be interrupted. */
const maxNativeBits = 8

/** Steps of Node's engine that take as long as one step of the linear-time engine. */
const nativeSteps = 5

/** Compiling a program takes time, too, however short the text. */
const minCostLength = 64

/**
 * Reads a pattern; or says why it is not accepted. Node's engine checks a pattern whose backtracking is trivial: at most one
 * unbounded repetition, and no repeated group. The others are translated for re2js, whose time is linear.
 */
export function readPattern(pattern: string): SafePattern | { readonly defect: string } {
  if (pattern.length > bounds.patternLength) return { defect: `it is longer than ${bounds.patternLength} characters` }
  if (!pattern.startsWith('^') || !pattern.endsWith('$')) return { defect: 'it must start with ^ and end with $' }
  let native: RegExp
  try {
    native = new RegExp(pattern, 'u')
  } catch {
    return { defect: 'it is not a valid regular expression (flag u)' }
  }
  const read = translatePattern(pattern)
  if ('defect' in read) return read
  if (!read.repeatsGroup && read.bits <= maxNativeBits) {
    const cost = Math.ceil((2 ** read.bits * read.steps) / nativeSteps)
    return { matcher: { test: (text) => native.test(text), toString: () => pattern }, cost: () => cost }
  }
  if (read.translated === null) return { defect: `it uses Unicode properties (\\p), which are accepted only ${simple}` }
  return readLinear(pattern, read.translated)
}

const simple = 'with one repetition, few other choices and no repeated group'

function readLinear(pattern: string, translated: string): SafePattern | { readonly defect: string } {
  const { RE2JS } = loadRe2()
  try {
    const program = RE2JS.compile(translated)
    const size = program.programSize()
    return {
      matcher: { test: (text) => program.test(text), toString: () => pattern },
      cost: (maxLength) => size * Math.max(maxLength, minCostLength),
    }
  } catch {
    // The only limit of RE2 that a valid pattern can reach.
    return { defect: 'its counted repetitions multiply to more than 1000' }
  }
}

let re2: typeof import('re2js') | null = null

/** Loads a quarter of a megabyte, in the services alone whose patterns need it. */
function loadRe2(): typeof import('re2js') {
  re2 ??= createRequire(import.meta.url)('re2js') as typeof import('re2js')
  return re2
}

/** The matcher of a pattern; Ajv's engine. Throws for a pattern that is not accepted. */
export function matcherOf(pattern: string): Matcher {
  const read = readPattern(pattern)
  if ('defect' in read) throw new Error(`The pattern ${pattern} is not accepted: ${read.defect}.`)
  return read.matcher
}
