import fc from '../../../support/property.ts'

/** A JSON object of a request. */
type Json = Readonly<Record<string, unknown>>

/** Keys of a sort; the id follows. */
export type Sort = readonly { readonly field: string; readonly isDescending: boolean }[]

/** What is computed of groups; `sort` begins with one of their names, or is empty. */
export interface Aggregate {
  readonly groups: readonly string[]
  readonly measures: readonly string[]
  readonly sort: Sort
}

/** One request of a history. */
export type Command =
  | { readonly is: 'put' | 'patch'; readonly id: string; readonly body: Json }
  | { readonly is: 'putAll'; readonly rows: readonly { readonly id: string; readonly body: Json }[] }
  | { readonly is: 'delete'; readonly id: string }
  | { readonly is: 'deleteAll'; readonly where: Json; readonly max: number }
  | { readonly is: 'walk'; readonly where: Json; readonly sort: Sort; readonly limit: number }
  | { readonly is: 'page'; readonly where: Json; readonly sort: Sort; readonly limit: number; readonly page: number }
  | { readonly is: 'aggregate'; readonly where: Json; readonly aggregate: Aggregate }

/** Few, so that requests meet the same rows. */
export const ids: readonly string[] = Array.from({ length: 12 }, (_, at) => {
  return `0193${((at * 7_919) % 65_536).toString(16).padStart(4, '0')}-7b5a-7c3e-8a51-${String(at).padStart(12, '0')}`
})

const texts = ['', 'a', 'A', 'a ', 'ab', 'Ab', 'b', '%', '_', '\\', "'", '"', 'é', 'É', '\uffff', '\ufffd', '\ue000', '\ud7ff', '\u{1f600}', '\u{1f600}b', 'ÄB', '1', '12', 'a%b_c', '10', '9', 'true', 'null'] // biome-ignore format: one line says it

const instants = ['0001-01-01T00:00:00.000Z', '1969-12-31T23:59:59.999Z', '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'] // biome-ignore format: one line says it

const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...texts) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }).map((text) => text.replaceAll('\0', '')) },
)
const whole = fc.constantFrom(-9_007_199_254_740_991, -1, 0, 1, 2_147_483_648, 9_007_199_254_740_991)
const real = fc.oneof(
  fc.constantFrom(-0.5, 0, 0.1, 0.30000000000000004, 2.5, 1e21, -1e300, 1e-300, 1e-7, 123_456.789),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }).map((value) => value + 0),
)
/** Whole numbers in JSON are those that a double represents exactly. */
const jsonReal = real.filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value))
const instant = fc.oneof(
  fc.constantFrom(...instants),
  fc.date({ min: new Date('1000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => date.toISOString()), // biome-ignore format: one line says it
)
const large = fc.constantFrom('-9223372036854775808', '-1', '0', '10', '9', '9007199254740993', '9223372036854775807')
const few = fc.integer({ min: -3, max: 3 })
const small = fc.integer({ min: -1_050, max: 1_050 })

/** Values of each field, as they are answered. */
const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  word,
  text: word,
  must: few,
  rank: few,
  big: whole,
  real,
  flag: fc.boolean(),
  at: instant,
  day: fc.constantFrom('0001-01-01', '2024-02-29', '2026-01-31', '9999-12-31'),
  key: fc.constantFrom('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', ids[0]),
  price: fc.oneof(small.map((cents) => (cents / 100).toFixed(2)), fc.constantFrom('9999999999999999.99', '-9999999999999999.99')), // biome-ignore format: one line says it
  large,
}

/** Values of members, in the order in which objects are answered: by length, then by bytes. */
const members: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  on: fc.boolean(),
  cost: fc.oneof(small.map((tenths) => (tenths / 10).toFixed(1)), fc.constantFrom('99999999999999999.9', '-99999999999999999.9')),
  free: fc.oneof(word, fc.boolean(), whole, jsonReal, fc.constantFrom(null, [], ['a'], {}, { a: 1 }, { '0': 'a' })),
  id64: large,
  lang: word,
  size: whole,
  inner: fc.oneof(fc.constant({}), word.map((deep) => ({ deep }))),
  ratio: jsonReal,
  since: instant,
} // biome-ignore format: the order is what matters

const json: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  tags: fc.array(word, { maxLength: 3 }),
  numbers: fc.array(jsonReal, { maxLength: 3 }),
  meta: fc.record(members, { requiredKeys: [] }),
}

const all = { ...values, ...json }

/** A value of a field, or none where it may have none. */
const optional = (name: string): fc.Arbitrary<unknown> =>
  name === 'must' ? few : fc.option(all[name] ?? fc.constant(null), { freq: 4 })

const record = (names: readonly string[]) => fc.record(Object.fromEntries(names.map((name) => [name, optional(name)])))

const row = record(Object.keys(all))

const changes = fc.uniqueArray(fc.constantFrom(...Object.keys(all)), { minLength: 1, maxLength: 3 }).chain(record)

const equality = ['eq', 'ne', 'in', 'nin']
const ordered = [...equality, 'gt', 'gte', 'lt', 'lte']
const textual = [...ordered, 'contains', 'startsWith', 'endsWith', 'icontains']

/** What each path takes, and operands for it. */
const paths: readonly (readonly [string, readonly string[], fc.Arbitrary<unknown>])[] = [
  ['id', ordered, fc.constantFrom(...ids)],
  ['version', ordered, fc.integer({ min: 1, max: 3 })],
  ...['word', 'text'].map((name) => [name, textual, word] as const),
  ...['must', 'rank', 'big', 'real', 'at', 'day', 'price', 'large'].map((name) => [name, ordered, values[name] ?? word] as const),
  ['key', equality, values.key ?? word],
  ['flag', ['eq', 'ne'], fc.boolean()],
  ['tags', ['has'], fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 3 }))],
  ['numbers', ['has'], real],
  ['meta', [], word],
  ['meta.on', ['eq', 'ne'], fc.boolean()],
  ['meta.cost', ordered, members.cost ?? word],
  ['meta.lang', textual, word],
  ['meta.size', ordered, whole],
  ['meta.ratio', ordered, real],
  ['meta.since', ordered, instant],
  ['meta.id64', ordered, large],
  ['meta.inner', [], word],
  ['meta.inner.deep', textual, word],
  ['meta.inner.x', equality, word],
  ['meta.free', [...equality, 'contains', 'startsWith'], fc.oneof(word, fc.boolean(), whole)],
  ['meta.free.0', [...equality, 'contains', 'startsWith'], word],
  ['meta.free.a', equality, fc.constantFrom('1', 1, 'x')],
] // biome-ignore format: one line each

const condition = fc.constantFrom(...paths).chain(([name, operators, operand]) =>
  fc.constantFrom('null', ...operators).chain((operator): fc.Arbitrary<Json> => {
    const isList = ['in', 'nin'].includes(operator)
    const given = operator === 'null' ? fc.boolean() : isList ? fc.array(operand, { maxLength: 3 }) : operand
    return given.map((value) => ({ [name]: { [operator]: value } }))
  }),
)

const { where } = fc.letrec<{ where: Json }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { weight: 4, arbitrary: condition },
    { weight: 1, arbitrary: fc.array(tie('where'), { maxLength: 2 }).map((list) => ({ AND: list })) },
    { weight: 2, arbitrary: fc.array(tie('where'), { maxLength: 2 }).map((list) => ({ OR: list })) },
    { weight: 2, arbitrary: tie('where').map((filter) => ({ NOT: filter })) },
  ),
}))

const filter = fc.oneof(fc.constant({}), where)

const sort: fc.Arbitrary<Sort> = fc
  .uniqueArray(fc.constantFrom(...Object.keys(values), 'version'), { maxLength: 3 })
  .chain((names) => fc.tuple(...names.map((field) => fc.record({ field: fc.constant(field), isDescending: fc.boolean() })))) // biome-ignore format: one line says it

const numbers = ['must', 'rank', 'big', 'price', 'large']

/** All but sums of doubles, which depend on their order. */
const measures = Object.keys(values).flatMap((name) => {
  const extremes = ['flag', 'key'].includes(name) ? [] : ['min', 'max']
  const computed = numbers.includes(name) ? ['sum', 'avg'] : []
  return ['count', 'distinct', ...extremes, ...computed].map((one) => `${name}:${one}`)
})

const aggregate: fc.Arbitrary<Aggregate> = fc
  .record({
    groups: fc.uniqueArray(fc.constantFrom(...Object.keys(values), 'at:hour', 'at:day', 'at:month', 'at:year'), { maxLength: 2 }),
    measures: fc.uniqueArray(fc.constantFrom('count', 'meta:count', ...measures), { minLength: 1, maxLength: 4 }),
    isSorted: fc.boolean(),
    isDescending: fc.boolean(),
  })
  .map(({ groups, measures: wanted, isSorted, isDescending }) => ({
    groups,
    measures: wanted,
    sort: isSorted ? [{ field: wanted[0] ?? '', isDescending }] : [],
  })) // biome-ignore format: one line each

const limit = fc.integer({ min: 1, max: 5 })
const id = fc.constantFrom(...ids)

/** A request that is valid: most of them write, so that there is something to find. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant('put'), id, body: row }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('patch'), id, body: changes }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('putAll'), rows: fc.uniqueArray(fc.record({ id, body: row }), { minLength: 1, maxLength: 6, selector: (one) => one.id }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('delete'), id }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('deleteAll'), where: condition, max: limit }) },
  { weight: 8, arbitrary: fc.record({ is: fc.constant('walk'), where: filter, sort, limit }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('page'), where: filter, sort, limit, page: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('aggregate'), where: filter, aggregate }) },
) // biome-ignore format: one line each
