import { holdsCredentials } from './mask.ts'
import { pemFault, readPemText } from './pem.ts'
import {
  durationsInMilliseconds,
  durationsInSeconds,
  formatBytes,
  formatSeconds,
  readQuantity,
  sizesInBytes,
} from './quantity.ts'
import { apiTokensFault, apiTokensJson } from './schema/api-token.ts'
import { originFault, publicKeyFault, webAddressFault } from './schema/web-formats.ts'
import type { FormatName, FormatParameters, ItemFormat } from './setting.ts'

/** How the values of one format are read, checked and described. */
export interface ValueFormat {
  /** Ends the sentence "Set X to ...". */
  accepts(parameters: FormatParameters): string
  json(parameters: FormatParameters): JsonSchema
  /** Text as a value; text that cannot be read stays as it is. */
  coerce?(text: string): unknown
  /** What is wrong with a value, without quoting it: it may be a secret. Null when it is usable. */
  faultOf(value: unknown, parameters: FormatParameters): string | null
  /** A value for people; without it as JSON. */
  show?(value: number): string
  /** True: every character counts, blanks too. Else quotes around it, and a comment behind it, are left over from an env file. */
  readonly isVerbatim?: boolean
}

/** A JSON Schema, as far as ours need one. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** Text in a setting is at most this long; anything longer is a mistake. */
const textMaxLength = 4096
const listMaxItems = 64
const durationUnits = 'ms, s, m, h, d'
const durationPattern = '^[0-9]+([.][0-9]+)? *(ms|s|m|h|d)$'
const sizePattern = '^[0-9]+([.][0-9]+)? *([kKmMgGtT][iI]?)?[bB]$'

// biome-ignore lint/suspicious/noControlCharactersInRegex: a name, a path or a word has none of them.
const controlCharacter = /[\u0000-\u001f\u007f]/

/** Every format by its name. */
export const formats: Readonly<Record<FormatName, ValueFormat>> = {
  // Any text: the diagnosis of the address says what is wrong, and a malformed one still declares a primary.
  'holdfast:address': {
    accepts: () => 'the address of a database, such as postgresql://user:password@host:5432/name',
    json: () => ({ type: 'string' }),
    faultOf: (value) => (typeof value === 'string' ? null : 'is not text'),
    isVerbatim: true,
  },
  // A password may begin with a blank.
  'holdfast:verbatim': {
    accepts: () => 'text',
    json: () => ({ type: 'string' }),
    faultOf: (value) => lengthFault(value, textMaxLength),
    isVerbatim: true,
  },
  'holdfast:text': {
    accepts: () => 'text',
    json: () => ({ type: 'string', minLength: 1 }),
    coerce: (text) => text.trim(),
    faultOf: (value) => textFault(value, textMaxLength, controlCharacter, 'contains control characters'),
  },
  // A path or a name; an address in its place would be shown, and made as a folder.
  'holdfast:path': {
    accepts: () => 'a path',
    json: () => ({ type: 'string', minLength: 1 }),
    coerce: (text) => text.trim(),
    faultOf: (value) =>
      textFault(value, textMaxLength, controlCharacter, 'contains control characters') ??
      (holdsCredentials(value) ? 'holds an address' : null) ??
      // Taken as it stands it would be a folder of that name.
      (isForShell(String(value)) ? 'contains "~" or a variable, which only a shell expands' : null),
  },
  'holdfast:pem': {
    accepts: () => 'the path of a PEM file, or PEM text from its line "-----BEGIN" to its line "-----END"',
    json: () => ({ type: 'string' }),
    coerce: readPemText,
    faultOf: pemFault,
  },
  'holdfast:token': {
    accepts: () => '1 to 512 visible ASCII characters without blanks',
    json: () => ({ type: 'string', pattern: '^[\\x21-\\x7e]{1,512}$' }),
    coerce: (text) => text.trim(),
    faultOf: (value) =>
      textFault(value, 512, /[^\x21-\x7e]/, 'contains characters that an HTTP header cannot carry') ??
      // Anybody could guess it.
      (findVariable(String(value)) === null ? null : 'is a variable that nothing has replaced'),
  },
  // It becomes part of a path: no dots, no separators. `config/schema.json` holds no settings.
  'holdfast:file-name': pattern(
    /^(?!schema$)[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'a name of letters, digits, "-" and "_"',
  ),
  'holdfast:absolute-folder': pattern(/^\/[^\0]{0,4095}$/, 'an absolute folder'),
  'holdfast:boolean': {
    accepts: () => 'true or false',
    json: () => ({ type: 'boolean' }),
    coerce: readBoolean,
    faultOf: (value) => (typeof value === 'boolean' ? null : 'is neither true nor false'),
  },
  'holdfast:integer': {
    accepts: ({ min, max }) => `a whole number from ${min} to ${max}`,
    json: ({ min, max }) => ({ type: 'integer', minimum: min, maximum: max }),
    coerce: (text) => readQuantity(text.trim(), {}),
    faultOf: (value, bounds) => numberFault(value, bounds, 'is not a whole number'),
  },
  'holdfast:seconds': {
    accepts: (bounds) => quantityText('a time', bounds, formatSeconds, 'seconds', durationUnits),
    json: (bounds) => quantityJson(bounds, durationPattern),
    coerce: (text) => readQuantity(text.trim(), durationsInSeconds, false),
    faultOf: (value, bounds) => numberFault(value, bounds, 'is not a time', formatSeconds, false),
    show: formatSeconds,
  },
  'holdfast:milliseconds': {
    accepts: (bounds) => quantityText('a time', bounds, formatMilliseconds, 'milliseconds', durationUnits),
    json: (bounds) => quantityJson(bounds, durationPattern),
    coerce: (text) => readQuantity(text.trim(), durationsInMilliseconds),
    faultOf: (value, bounds) => numberFault(value, bounds, 'is not a time', formatMilliseconds),
    show: formatMilliseconds,
  },
  'holdfast:bytes': {
    accepts: (bounds) => quantityText('a size', bounds, formatBytes, 'bytes', 'KiB, MiB, GiB, kB, MB, GB'),
    json: (bounds) => quantityJson(bounds, sizePattern),
    coerce: (text) => readQuantity(text.trim(), sizesInBytes),
    faultOf: (value, bounds) => numberFault(value, bounds, 'is not a size', formatBytes),
    show: formatBytes,
  },
  'holdfast:list': {
    accepts: ({ of: item }) =>
      `a list (JSON array, or separated by commas) whose entries are ${item ? acceptedBy(item) : ''}`,
    json: ({ of: item }) => ({ type: 'array', items: item ? jsonOf(item) : {}, maxItems: listMaxItems }),
    faultOf: listFault,
  },
  'holdfast:api-tokens': {
    accepts: () =>
      'a JSON array of tokens, such as [{"name": "ingest", "sha256": "...", "scopes": ["feedback:create"]}]',
    json: () => apiTokensJson,
    faultOf: apiTokensFault,
    isVerbatim: true,
  },
  'holdfast:web-address': {
    accepts: () => 'an address that begins with https:// or http://',
    json: () => ({ type: 'string', pattern: '^https?://' }),
    coerce: (text) => text.trim(),
    faultOf: webAddressFault,
  },
  'holdfast:origin': {
    accepts: () => 'an origin, such as https://app.example.com or http://localhost:5173, or *',
    json: () => ({ type: 'string' }),
    coerce: (text) => text.trim(),
    faultOf: originFault,
  },
  'holdfast:public-key': {
    accepts: () => 'a public key or a certificate as PEM text, from its line "-----BEGIN" to its line "-----END"',
    json: () => ({ type: 'string' }),
    coerce: readPemText,
    faultOf: publicKeyFault,
  },
  // Shorter ones can be guessed from one token.
  'holdfast:signing-secret': {
    accepts: () => 'at least 32 bytes of text',
    json: () => ({ type: 'string', minLength: 32 }),
    faultOf: (value) =>
      lengthFault(value, textMaxLength) ?? (Buffer.byteLength(String(value)) < 32 ? 'is shorter than 32 bytes' : null),
    isVerbatim: true,
  },
}

/** The format of a value: the registered one, or one of words. */
export function formatOf({ format }: ItemFormat): ValueFormat {
  return typeof format === 'string' ? formats[format] : wordsFormat(format)
}

/** What a value may be; ends the sentence "Set X to ...". */
export function acceptedBy(item: ItemFormat): string {
  return item.accepts ?? formatOf(item).accepts(item)
}

/** The JSON Schema of a value. */
export function jsonOf(item: ItemFormat): JsonSchema {
  return formatOf(item).json(item)
}

/** A value that is not a secret, for people: `64 KiB`, `"info"`. */
export function showValue(item: ItemFormat, value: unknown): string {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'number' ? (formatOf(item).show?.(value) ?? `${value}`) : JSON.stringify(value)
}

/** Text without what the parser of an env file left: quotes around it, a comment behind it. */
export function withoutLeftovers(text: string): string {
  const given = text.trim()
  if (given.length > textMaxLength) return given
  const [, uncommented = given] = /^(.*?\S)\s+#(?:\s.*)?$/s.exec(given) ?? []
  const plain = withoutQuotes(uncommented).trim()
  // Quotes may surround quotes; what was read once must read as itself.
  return plain === given ? plain : withoutLeftovers(plain)
}

/** Text without one pair of quotes around it. */
export function withoutQuotes(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text
}

function wordsFormat(words: readonly string[]): ValueFormat {
  const list = words.join(', ')
  return {
    accepts: () => `one of ${list}`,
    json: () => ({ enum: words }),
    coerce: (text) => words.find((word) => word.toLowerCase() === text.trim().toLowerCase()) ?? text,
    faultOf(value) {
      if (typeof value !== 'string') return 'is not text'
      return words.includes(value) ? null : `is not one of ${list}`
    },
  }
}

function pattern(expression: RegExp, accepted: string): ValueFormat {
  return {
    accepts: () => accepted,
    json: () => ({ type: 'string', pattern: expression.source }),
    coerce: (text) => text.trim(),
    faultOf(value) {
      if (typeof value !== 'string') return 'is not text'
      return expression.test(value) ? null : `is not ${accepted}`
    },
  }
}

const yes = new Set(['true', '1', 'yes', 'on'])
const no = new Set(['false', '0', 'no', 'off'])

function readBoolean(text: string): boolean | string {
  const word = text.trim().toLowerCase()
  if (yes.has(word)) return true
  return no.has(word) ? false : text
}

function lengthFault(value: unknown, maxLength: number): string | null {
  if (typeof value !== 'string') return 'is not text'
  return value.length > maxLength ? `is longer than ${maxLength} characters` : null
}

function textFault(value: unknown, maxLength: number, forbidden: RegExp, otherwise: string): string | null {
  if (value === '') return 'is blank'
  return lengthFault(value, maxLength) ?? (forbidden.test(String(value)) ? otherwise : null)
}

function numberFault(
  value: unknown,
  { min = -Infinity, max = Infinity }: FormatParameters,
  otherwise: string,
  format: (bound: number) => string = String,
  isWhole = true,
): string | null {
  if (typeof value !== 'number' || !Number.isFinite(value) || (isWhole && !Number.isInteger(value))) return otherwise
  if (value < min) return `is below the minimum, ${format(min)}`
  return value > max ? `is above the maximum, ${format(max)}` : null
}

function listFault(value: unknown, { of: item }: FormatParameters): string | null {
  if (!Array.isArray(value) || item === undefined) return 'is not a list'
  if (value.length > listMaxItems) return `has more than ${listMaxItems} entries`
  const faults = value.map((entry) => formatOf(item).faultOf(entry, item))
  const at = faults.findIndex((fault) => fault !== null)
  return at < 0 ? null : `has an entry (number ${at + 1}) that ${faults[at]}`
}

function formatMilliseconds(count: number): string {
  return formatSeconds(count / 1000)
}

function quantityText(
  what: string,
  { min = 0, max = 0 }: FormatParameters,
  format: (bound: number) => string,
  plain: string,
  units: string,
): string {
  return `${what} from ${format(min)} to ${format(max)}, in ${plain} or with a unit (${units})`
}

function quantityJson({ min, max }: FormatParameters, text: string): JsonSchema {
  return { type: ['number', 'string'], minimum: min, maximum: max, pattern: text }
}

/** Variables of shells, templates and Kubernetes that nothing has replaced. */
const variables: readonly RegExp[] = [
  /\$\{\{.*?\}\}/,
  /\{\{.*?\}\}/,
  /\$\{[^}]*\}/,
  /^\$[A-Z_][A-Z0-9_]*$/i,
  /^%[A-Z_][A-Z0-9_]*%$/i,
  /\$\([A-Za-z_][\w.-]*\)/,
  // Symfony's; a percent-encoding holds neither a dot nor an underscore.
  /%(?:[a-z]+\.[\w.]+|env\([^)]*\)|[A-Z][A-Z0-9]*_[A-Z0-9_]+)%/,
  /<%[\s\S]*?%>/,
]

/** The first variable in a text; null when there is none. Pure. */
export function findVariable(text: string): { readonly text: string; readonly index: number } | null {
  for (const pattern of variables) {
    const found = pattern.exec(text)
    if (found !== null) return { text: found[0], index: found.index }
  }
  return null
}

/** Whether a path needs a shell: it begins with "~", or contains a variable. */
export function isForShell(path: string): boolean {
  return /^~(?:\/|$)|(?:^|\/)\$[A-Za-z_]\w*(?=\/|$)/.test(path) || findVariable(path) !== null
}
