import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isNativeError } from 'node:util/types'
import { createContext, Script } from 'node:vm'
import { checkCollection } from '../../../src/collection/declaration/check.ts'
import type { Collection, StringField } from '../../../src/collection/declaration/declaration.ts'
import { matcherOf, maxPatternCost, readPattern } from '../../../src/collection/declaration/pattern.ts'
import { Validator } from '../../../src/collection/declaration/validator.ts'
import fc from '../../support/property.ts'

/** Why a pattern is not accepted; null if it is. */
function defectOf(pattern: string): string | null {
  const read = readPattern(pattern)
  return 'defect' in read ? read.defect : null
}

describe('a pattern', () => {
  const taken = [
    '^[a-z]+$',
    '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$',
    '^(?:\\d{1,3}\\.){3}\\d{1,3}$',
    '^#[0-9a-fA-F]{6}$',
    '^\\p{L}+$',
    '^[a-z0-9]+(?:-[a-z0-9]+)*$',
    // Exponential in an engine that backtracks.
    '^(a+)+$',
    '^(?:a|a)*$',
    '^(a?){50}a{50}$',
    `^${'a?'.repeat(40)}${'a'.repeat(40)}$`,
  ]
  for (const pattern of taken) {
    it(`is taken: ${pattern.slice(0, 40)}`, () => assert.equal(defectOf(pattern), null))
  }

  const refused: readonly (readonly [string, RegExp])[] = [
    ['a', /start with/],
    ['^(?=a)a$', /look-around/],
    ['^(?<n>a)$', /named groups/],
    ['^(?i:a)$', /look-around/],
    ['^(a)\\1$', /back references/],
    ['^a\\b$', /word boundaries/],
    ['^(a$', /not a valid/],
    ['^a|b$', /need a group/],
    [`^${'a'.repeat(200)}$`, /longer than 200/],
    ['^(?:\\p{L}+ ?)+$', /Unicode properties/],
    ['^a{1001}$', /at most 1000/],
    ['^(?:a{500}){3}$', /multiply/],
    ['^(?:(?:){900}){900}$', /multiply/],
  ]
  for (const [pattern, why] of refused) {
    it(`is refused with its reason: ${pattern.slice(0, 40)}`, () => assert.match(defectOf(pattern) ?? '', why))
  }
})

/** Pieces in which JavaScript and RE2 differ, or could. */
const atoms = fc.constantFrom(
  ...[
    'a',
    'b',
    '.',
    '\\s',
    '\\S',
    '\\d',
    '\\D',
    '\\w',
    '\\W',
    '\\.',
    '\\-'.slice(1),
    '\\/',
    '\\u{1F600}',
    '\\ud83d\\ude00',
  ],
  ...[
    '\\u0061',
    '\\x62',
    '\\cJ',
    '\\0',
    '\\t',
    '\\n',
    '\\v',
    '\\f',
    '\\r',
    '😀',
    'ü',
    '[]',
    '[^]',
    '[^a]',
    '[a-c]',
    '[\\-a]',
  ],
  ...[
    '[\\d\\s]',
    '[^\\S]',
    '[^\\D.]',
    '[[:a]',
    '[a^-]',
    '[\\]b]',
    '[\\u{1F600}-\\u{1F64F}]',
    '[^\\ud83d\\ude00]',
    '(?:)',
  ],
)
const quantifiers = fc.constantFrom(
  '',
  '',
  '',
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '{2}',
  '{02}',
  '{0}',
  '{1,}',
  '{0,3}',
  '{2,3}?',
)
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.tuple(atoms, quantifiers).map(([atom, quantifier]) => atom + quantifier),
    fc.constantFrom('^', '$'),
    fc.array(tie('tree'), { maxLength: 4 }).map((parts) => parts.join('')),
    fc
      .tuple(fc.array(tie('tree'), { minLength: 1, maxLength: 3 }), fc.boolean(), quantifiers)
      .map(([parts, captures, quantifier]) => `${captures ? '(' : '(?:'}${parts.join('|')})${quantifier}`),
  ),
}))
const letters = fc.constantFrom(
  ...['a', 'b', 'c', '', ' ', '\t', '\n', '\v', '\f', '\r', '\u0085', '\u00a0', '\u2028', '\u2029', '\u3000', '\ufeff'],
  ...['\u180e', '\0', '.', '-', '/', ':', '[', ']', '^', '0', '٣', '_', 'ü', '😀', '🙏', '\u{10ffff}'],
)

const limited = createContext({})
const call = new Script('run()')

/**
 * What Node's engine says of each text; null if it backtracks for longer than a test waits, which five characters are
 * enough for: only a script's limit interrupts it.
 */
function nativeAnswers(pattern: string, texts: readonly string[]): readonly boolean[] | null {
  const native = new RegExp(pattern, 'u')
  const answers: boolean[] = []
  limited.run = () => answers.push(...texts.map((text) => native.test(text)))
  try {
    call.runInContext(limited, { timeout: 250 })
    return answers
  } catch (error) {
    // Not `instanceof`: the error may be one of the other context.
    if (isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null
    throw error
  }
}

describe('the linear-time engine', () => {
  it('says of every text what the engine of JavaScript says', () => {
    let compared = 0
    fc.assert(
      fc.property(
        tree,
        fc.array(fc.array(letters, { maxLength: 5 }), { minLength: 8, maxLength: 8 }),
        (inner, texts) => {
          // A group that repeats sends it to the linear-time engine; by that it means the same.
          const pattern = `^(?:(?:${inner}){1,2}){1}$`
          if (defectOf(pattern) !== null) return
          const joined = texts.map((one) => one.join(''))
          const answers = nativeAnswers(pattern, joined)
          if (answers === null) return
          const linear = matcherOf(pattern)
          for (const [at, text] of joined.entries()) {
            compared += answers[at] ? 1 : 0
            assert.equal(linear.test(text), answers[at], `${pattern} ${JSON.stringify(text)}`)
          }
        },
      ),
      { numRuns: 1_000 },
    )
    assert.ok(compared > 150, `${compared} texts matched`)
  })
})

/** A collection with as many fields of this pattern as are accepted. */
function fullOf(pattern: string, maxLength: number): Collection {
  const read = readPattern(pattern)
  assert.ok(!('defect' in read), pattern)
  const count = Math.min(100, Math.floor(maxPatternCost / read.cost(maxLength)))
  const field: StringField = { type: 'string', maxLength, pattern }
  const collection = {
    name: 'notes',
    fields: Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, field])),
  }
  assert.deepEqual(checkCollection(collection).defects, [])
  return collection
}

describe('a body in which every field is made to be slow', () => {
  const worst: readonly (readonly [string, number, (at: number) => string])[] = [
    ['^(a+)+$', 256, () => `${'a'.repeat(255)}!`],
    ['^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$', 254, (at) => `a@${'a.'.repeat(120)}${at} `],
    ['^(?:(?:a?){10}){10}$', 256, (at) => `${'a'.repeat(99)}${at}`],
    [
      '^(?:a|b)*a(?:a|b){60}$',
      256,
      (at) => Array.from({ length: 256 }, (_, n) => 'ab'[((n * n * (at + 7)) % 11) & 1]).join(''),
    ],
    ['^(?:.?){100}$', 256, (at) => `${String.fromCodePoint(0x4e00 + at).repeat(90)}\n`],
    [`^[ab]*${'a'.repeat(190)}b$`, 256, () => 'a'.repeat(256)],
    [`^.*${'\\p{L}'.repeat(38)}$`, 256, () => `${'a'.repeat(255)}1`],
  ]
  for (const [pattern, maxLength, text] of worst) {
    it(`is answered within a tenth of a second: ${pattern.slice(0, 40)}`, () => {
      const collection = fullOf(pattern, maxLength)
      const validator = new Validator(collection)
      assert.throws(() => validator.create(7))
      const fastest = Math.min(
        ...[0, 1, 2].map((round) => {
          const body = Object.fromEntries(
            Object.keys(collection.fields).map((name, at) => [name, text(at + round * 100)]),
          )
          const started = performance.now()
          try {
            validator.create(body)
          } catch {}
          return performance.now() - started
        }),
      )
      assert.ok(fastest < 100, `${Object.keys(collection.fields).length} fields took ${fastest} ms`)
    })
  }

  it('is no longer accepted with one field more', () => {
    const pattern = '^(?:(?:a?){10}){10}$'
    const { fields } = fullOf(pattern, 256)
    const more = { ...fields, more: { type: 'string', maxLength: 256, pattern } }
    const { defects } = checkCollection({ name: 'notes', fields: more })
    assert.deepEqual(
      defects.map(({ pointer }) => pointer),
      ['/fields/more/pattern'],
    )
  })
})
