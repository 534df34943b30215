import { bounds } from './declaration.ts'

/**
 * The maximum number of choices, in bits, that a pattern may leave to the engine: an unbounded repetition over at most 256
 * characters counts 8 bits, an optional part 1, an alternative 1. 26 bits take a tenth of a second in the worst case.
 */
const maxBits = 26

const repetitionBits = 8

/** How often a group that contains a choice may repeat: the choices multiply. */
const maxRepeatsOfChoice = 4

/**
 * Why a pattern is rejected; null if it may check untrusted text. Node's engine backtracks and cannot be interrupted, so
 * only patterns with a small worst case are accepted: anchored, no look-around, no back reference, few choices.
 */
export function patternDefect(pattern: string): string | null {
  if (pattern.length > bounds.patternLength) return `it is longer than ${bounds.patternLength} characters`
  if (!pattern.startsWith('^') || !pattern.endsWith('$')) return 'it must start with ^ and end with $'
  try {
    new RegExp(pattern, 'u')
  } catch {
    return 'it is not a valid regular expression (flag u)'
  }
  return choiceDefect(pattern)
}

/** Walks a valid pattern; `open` holds the bits of each open group. */
function choiceDefect(pattern: string): string | null {
  const open = [0]
  let at = 0
  while (at < pattern.length) {
    const char = pattern[at]
    if (char === '(') {
      if (pattern[at + 1] === '?' && pattern[at + 2] !== ':') return 'look-around and named groups are not allowed'
      open.push(0)
      at += pattern[at + 1] === '?' ? 3 : 1
      continue
    }
    if (char === '|') {
      if (open.length === 1) return 'alternatives need a group: ^(?:a|b)$'
      open.push((open.pop() ?? 0) + 1)
      at++
      continue
    }
    if (char === '\\' && /[1-9kbB]/.test(pattern[at + 1] ?? '')) {
      return 'back references and word boundaries are not allowed'
    }
    const inner = char === ')' ? (open.pop() ?? 0) : 0
    const quantifier = quantifierAt(pattern, endOfAtom(pattern, at))
    if (inner > 0 && quantifier.max > maxRepeatsOfChoice)
      return `a group that contains a choice may repeat at most ${maxRepeatsOfChoice} times`
    const bits = inner * Math.max(1, Math.min(quantifier.max, maxRepeatsOfChoice)) + bitsOf(quantifier)
    open.push((open.pop() ?? 0) + bits)
    at = quantifier.end
  }
  const total = open[0] ?? 0
  return total > maxBits ? 'it has too many choices; use fewer *, + and ?' : null
}

/** How often an atom repeats, and where its quantifier ends. */
interface Quantifier {
  readonly min: number
  readonly max: number
  readonly end: number
}

function bitsOf({ min, max }: Quantifier): number {
  return Math.min(repetitionBits, Math.log2(max - min + 1))
}

function quantifierAt(pattern: string, at: number): Quantifier {
  const found = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(pattern.slice(at))
  if (found === null) return { min: 1, max: 1, end: at }
  const end = at + found[0].length
  const [, sign, from = '0', comma, to] = found
  if (sign === '?') return { min: 0, max: 1, end }
  if (sign !== undefined) return { min: sign === '+' ? 1 : 0, max: Number.POSITIVE_INFINITY, end }
  const min = Number(from)
  if (comma === '') return { min, max: min, end }
  return { min, max: to === '' ? Number.POSITIVE_INFINITY : Number(to), end }
}

/** Where the atom that starts at `start` ends: an escape, a class, or one character. */
function endOfAtom(pattern: string, start: number): number {
  if (pattern[start] === '\\') return endOfEscape(pattern, start)
  if (pattern[start] !== '[') return start + 1
  for (let at = start + 1; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === ']') return at + 1
  }
  return pattern.length
}

function endOfEscape(pattern: string, start: number): number {
  const long = /^\\(?:u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[pP]\{[^}]*\}|c[a-zA-Z])/.exec(pattern.slice(start))
  return start + (long?.[0].length ?? 2)
}
