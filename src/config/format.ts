import type { JsonSchema } from './json-schema-type.ts'

/** What became of a given value: usable (perhaps after a repair, which is then said), or the reason why it is not. */
export type Reading<V> = { readonly value: V; readonly repair?: string } | { readonly reason: string }

/** What a setting takes. */
export interface Format<V> {
  /** Ends the sentence "it takes ...". */
  readonly takes: string
  readonly json: JsonSchema
  /** Reads what a file, the environment or code gave; a value that it has read before reads as itself. Never throws; a reason never holds the value. */
  read(given: unknown): Reading<V>
}

/** Strings in a setting are at most this long; whatever is longer is a mistake. */
const textMaxLength = 4096

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a name, a path or a word.
const controlCharacter = /[\u0000-\u001f\u007f]/

/** Text without control characters, not blank. */
export function text(takes = 'text'): Format<string> {
  return {
    takes,
    json: { type: 'string', minLength: 1 },
    read(given) {
      if (typeof given !== 'string') return { reason: 'is not text' }
      const trimmed = given.trim()
      if (trimmed === '') return { reason: 'is blank' }
      if (trimmed.length > textMaxLength) return { reason: `is longer than ${textMaxLength} characters` }
      if (controlCharacter.test(trimmed)) return { reason: 'has control characters' }
      return { value: trimmed }
    },
  }
}

/** Text that is kept to the letter: a password may begin with a blank. */
export function verbatim(takes = 'text'): Format<string> {
  return {
    takes,
    json: { type: 'string' },
    read(given) {
      if (typeof given !== 'string') return { reason: 'is not text' }
      if (given.length > textMaxLength) return { reason: `is longer than ${textMaxLength} characters` }
      return { value: given }
    },
  }
}

/**
 * A database's address. Everything is taken, also what is no text: the resolution must see that a database *was*
 * declared, however malformed, and says what is wrong with it.
 */
export function address(): Format<string> {
  return {
    takes: 'the address of a database, such as postgresql://user:password@host:5432/name',
    json: { type: 'string' },
    read(given) {
      if (typeof given === 'string') return { value: given }
      try {
        return { value: JSON.stringify(given) ?? String(given) }
      } catch {
        return { value: `(${typeof given})` }
      }
    },
  }
}

/** A token that an HTTP header can carry. */
export function token(): Format<string> {
  return {
    takes: '1 to 512 visible ASCII characters without blanks',
    json: { type: 'string', pattern: '^[\\x21-\\x7e]{1,512}$' },
    read(given) {
      if (typeof given !== 'string') return { reason: 'is not text' }
      const trimmed = given.trim()
      if (trimmed === '') return { reason: 'is blank' }
      if (trimmed.length > 512) return { reason: 'is longer than 512 characters' }
      if (!/^[\x21-\x7e]+$/.test(trimmed)) return { reason: 'has characters that an HTTP header cannot carry' }
      return { value: trimmed }
    },
  }
}

/** Text that matches `pattern`. */
export function word(pattern: RegExp, takes: string): Format<string> {
  return {
    takes,
    json: { type: 'string', pattern: pattern.source },
    read(given) {
      if (typeof given !== 'string') return { reason: 'is not text' }
      const trimmed = given.trim()
      return pattern.test(trimmed) ? { value: trimmed } : { reason: `is not ${takes}` }
    },
  }
}

/** One of `words`, in any case. */
export function choice<const W extends string>(words: readonly W[]): Format<W> {
  return {
    takes: `one of ${words.join(', ')}`,
    json: { enum: words },
    read(given) {
      if (typeof given !== 'string') return { reason: 'is not text' }
      const { plain, repair } = unquoted(given)
      const found = words.find((candidate) => candidate.toLowerCase() === plain.toLowerCase())
      return found === undefined ? { reason: `is none of ${words.join(', ')}` } : { value: found, ...repair }
    },
  }
}

const yes = new Set(['true', '1', 'yes', 'on'])
const no = new Set(['false', '0', 'no', 'off'])

/** True or false, in the words that people use for them. */
export function flag(): Format<boolean> {
  return {
    takes: 'true or false',
    json: { type: 'boolean' },
    read(given) {
      if (typeof given === 'boolean') return { value: given }
      if (given === 1 || given === 0) return { value: given === 1 }
      if (typeof given !== 'string') return { reason: 'is neither true nor false' }
      const { plain, repair } = unquoted(given)
      const lower = plain.toLowerCase()
      if (yes.has(lower)) return { value: true, ...repair }
      if (no.has(lower)) return { value: false, ...repair }
      return { reason: 'is neither true nor false' }
    },
  }
}

/** A list: an array in a file, separated by commas in the environment. An empty environment entry is skipped. */
export function list<V>(of: Format<V>, maxItems = 64): Format<readonly V[]> {
  return {
    takes: `a list (JSON array, or separated by commas) of which each is ${of.takes}`,
    json: { type: 'array', items: of.json, maxItems },
    read(given) {
      const items = typeof given === 'string' ? given.split(',').filter((item) => item.trim() !== '') : given
      if (!Array.isArray(items)) return { reason: 'is not a list' }
      if (items.length > maxItems) return { reason: `has more than ${maxItems} entries` }
      const values: V[] = []
      for (const [index, item] of items.entries()) {
        const reading = of.read(item)
        if ('reason' in reading) return { reason: `has an entry (number ${index + 1}) that ${reading.reason}` }
        if (!values.includes(reading.value)) values.push(reading.value)
      }
      return { value: values }
    },
  }
}

/** The same, or absent: null, and blank text where `of` takes none. */
export function optional<V>(of: Format<V>): Format<V | null> {
  const { type, enum: words, ...rest } = of.json
  return {
    takes: of.takes,
    json: {
      ...(type === undefined ? {} : { type: [type, 'null'].flat() }),
      ...(Array.isArray(words) ? { enum: [...words, null] } : {}),
      ...rest,
    },
    read(given) {
      if (given === null) return { value: null }
      const reading = of.read(given)
      const isBlank = typeof given === 'string' && given.trim() === ''
      return isBlank && 'reason' in reading ? { value: null } : reading
    },
  }
}

/** A value without the quotes that an env file's parser has left around it, and what to say about them. */
export function unquoted(given: string): { plain: string; repair: { repair?: string } } {
  const plain = given.trim()
  const inner = /^(["'])(.*)\1$/s.exec(plain)?.[2]?.trim()
  return inner === undefined
    ? { plain, repair: {} }
    : { plain: inner, repair: { repair: 'has quotes around it, which were taken off' } }
}
