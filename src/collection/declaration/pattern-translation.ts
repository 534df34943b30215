/** A valid pattern of JavaScript (flag `u`), read for both engines. */
export interface Translation {
  /** The choices that a backtracking engine may try, in bits: paths = 2^bits. */
  readonly bits: number
  /** The characters that one path compares, without its repetitions. */
  readonly steps: number
  /** True if a group may repeat, which multiplies the choices. */
  readonly repeatsGroup: boolean
  /** The same pattern in the language of RE2; null if RE2 has no equal. */
  readonly translated: string | null
}

/** An unbounded repetition over at most 256 characters leaves this many bits. */
const repetitionBits = 8

/** The largest count of RE2. */
const maxCount = 1_000

/** What `\s` and `.` are in JavaScript; in RE2 they are less, and more. */
const spaces =
  '\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}'
const notSpaces =
  '\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}'
const anyInLine = '[^\\x{a}\\x{d}\\x{2028}\\x{2029}]'

/** One character, or a set of them, and where its text ends. */
interface Atom {
  /** For RE2; null if RE2 has no equal. */
  readonly text: string | null
  readonly end: number
}

/** Reads a valid pattern, or returns why no engine may check it. */
export function translatePattern(pattern: string): Translation | { readonly defect: string } {
  const open = [0]
  let [translated, repeatsGroup, steps, at]: [string | null, boolean, number, number] = ['', false, 0, 0]
  const write = (text: string | null): void => {
    translated = translated === null || text === null ? null : translated + text
  }
  const add = (bits: number): void => {
    open.push((open.pop() ?? 0) + bits)
  }
  while (at < pattern.length) {
    const char = pattern[at]
    if (char === '(') {
      if (pattern[at + 1] === '?' && pattern[at + 2] !== ':')
        return { defect: 'look-around and named groups are not allowed' }
      open.push(0)
      write('(?:')
      at += pattern[at + 1] === '?' ? 3 : 1
    } else if (char === '|') {
      if (open.length === 1) return { defect: 'alternatives need a group: ^(?:a|b)$' }
      add(1)
      write('|')
      at++
    } else if (char === '^' || char === '$') {
      write(char)
      at++
    } else {
      if (char === '\\' && /[1-9kbB]/.test(pattern[at + 1] ?? '')) {
        return { defect: 'back references and word boundaries are not allowed' }
      }
      const isGroup = char === ')'
      const { text, end } = isGroup ? { text: ')', end: at + 1 } : readAtom(pattern, at)
      if (isGroup) add(open.pop() ?? 0)
      const quantifier = quantifierAt(pattern, end)
      const { min, max } = quantifier
      if (min > maxCount || (max > maxCount && max !== Number.POSITIVE_INFINITY)) {
        return { defect: `a counted repetition may be at most ${maxCount}` }
      }
      if (isGroup && max > 1) repeatsGroup = true
      add(Math.min(repetitionBits, Math.log2(max - min + 1)))
      steps += min === max ? max : 1
      write(text)
      write(textOf(quantifier))
      at = quantifier.end
    }
  }
  return { bits: open[0] ?? 0, steps, repeatsGroup, translated }
}

/** How often an atom repeats, and where its quantifier ends. */
interface Quantifier {
  readonly min: number
  readonly max: number
  readonly end: number
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

/** Lazy or not is the same where only the whole text matches. */
function textOf({ min, max }: Quantifier): string {
  if (min === 1 && max === 1) return ''
  return `{${min},${max === Number.POSITIVE_INFINITY ? '' : max}}`
}

function readAtom(pattern: string, at: number): Atom {
  if (pattern[at] === '.') return { text: anyInLine, end: at + 1 }
  if (pattern[at] === '[') return readClass(pattern, at)
  const { text, end } = readCharacter(pattern, at)
  return { text: text === null ? null : `[${text}]`, end }
}

/** A class in brackets. RE2 reads an empty one, and brackets in one, otherwise; so each character is written by number. */
function readClass(pattern: string, start: number): Atom {
  const isNegated = pattern[start + 1] === '^'
  let at = start + (isNegated ? 2 : 1)
  let inner: string | null = ''
  while (pattern[at] !== ']') {
    const { text, end } = readCharacter(pattern, at)
    const isRange = pattern[end] === '-' && pattern[end + 1] !== ']'
    const to = isRange ? readCharacter(pattern, end + 1) : null
    inner = inner === null || text === null ? null : inner + text + (to === null ? '' : `-${to.text}`)
    at = to?.end ?? end
  }
  const end = at + 1
  if (inner === '') return { text: isNegated ? '[\\x{0}-\\x{10ffff}]' : '[^\\x{0}-\\x{10ffff}]', end }
  return { text: inner === null ? null : `[${isNegated ? '^' : ''}${inner}]`, end }
}

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 }

const sets: Readonly<Record<string, string | null>> = {
  d: '\\d',
  D: '\\D',
  w: '\\w',
  W: '\\W',
  s: spaces,
  S: notSpaces,
  // Each engine has its own version of Unicode.
  p: null,
  P: null,
}

/** One character or escape, as it stands inside of brackets. */
function readCharacter(pattern: string, at: number): Atom {
  if (pattern[at] !== '\\') {
    const point = pattern.codePointAt(at) ?? 0
    return character(point, at + String.fromCodePoint(point).length)
  }
  const name = pattern[at + 1] ?? ''
  if (Object.hasOwn(sets, name)) {
    const end = /^[pP]$/.test(name) ? pattern.indexOf('}', at) + 1 : at + 2
    return { text: sets[name] ?? null, end }
  }
  const numbered =
    /^\\(?:u\{([0-9a-fA-F]+)\}|((?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))|[ux]([0-9a-fA-F]{4}|[0-9a-fA-F]{2}))/
  const found = numbered.exec(pattern.slice(at))
  if (found !== null) {
    const [whole, braced, pair, plain] = found
    const value = pair === undefined ? Number.parseInt(braced ?? plain ?? '', 16) : pointOfPair(pair)
    return character(value, at + whole.length)
  }
  if (name === 'c') return character((pattern.codePointAt(at + 2) ?? 0) % 32, at + 3)
  if (Object.hasOwn(controls, name)) return character(controls[name] ?? 0, at + 2)
  return character(pattern.codePointAt(at + 1) ?? 0, at + 2)
}

function character(point: number, end: number): Atom {
  return { text: `\\x{${point.toString(16)}}`, end }
}

/** The code point of `uD83D\uDE00`. */
function pointOfPair(pair: string): number {
  const [high, low] = [pair.slice(1, 5), pair.slice(7)].map((hex) => Number.parseInt(hex, 16))
  return String.fromCharCode(high ?? 0, low ?? 0).codePointAt(0) ?? 0
}
