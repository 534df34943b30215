import type { FieldValue } from '../../../src/collection/declaration/canonical.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { Validator } from '../../../src/collection/declaration/validator.ts'
import { compareValues, isMatch } from '../../../src/collection/filter/evaluator.ts'
import { fieldPath } from '../../../src/collection/filter/paths.ts'
import type { AggregateQuery, GroupKey, Measure } from '../../../src/collection/query/aggregate-query.ts'
import type { ListQuery, SortKey } from '../../../src/collection/query/list-query.ts'
import fc from '../../support/property.ts'

/** Fields of every kind, and indexes for some sorts; few rows, so any sort is served. */
export const things: Collection = {
  name: 'things',
  fields: {
    word: { type: 'string', maxLength: 40 },
    text: { type: 'string' },
    must: { type: 'integer', minimum: -5, maximum: 5 },
    rank: { type: 'integer', minimum: -100, maximum: 100 },
    big: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    key: { type: 'string', format: 'uuid' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    large: { type: 'string', format: 'int64' },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 } },
    numbers: { type: 'array', items: { type: 'number' } },
    meta: {
      type: 'object',
      properties: {
        lang: { type: 'string', maxLength: 10 },
        size: { type: 'integer' },
        ratio: { type: 'number' },
        on: { type: 'boolean' },
        since: { type: 'string', format: 'date-time' },
        cost: { type: 'string', format: 'decimal', scale: 1 },
        id64: { type: 'string', format: 'int64' },
        inner: { type: 'object', properties: { deep: { type: 'string', maxLength: 10 } } },
      },
    },
  },
  required: ['must'],
  indexes: [{ fields: ['rank'] }, { fields: ['word', 'rank'] }, { fields: ['must', 'at'] }],
  ids: 'client',
  maxRows: 10_000,
}

const names = Object.keys(things.fields)

const words = [
  '',
  'a',
  'A',
  'ab',
  'aB',
  'b ',
  'b',
  'B',
  'Ä',
  'ä',
  'ÄB',
  '\u{1F600}',
  '\u{1F600}b',
  '\uFFFD',
  '%',
  '_',
  "a'b",
  'a"b\\',
  '\uE000',
  '\uD7FF',
  'true',
  '1',
  '12',
]
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...words) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }).map((text) => text.replaceAll('\0', '')) },
)
const short = word.map((text) => [...text].slice(0, 10).join(''))
const whole = fc.constantFrom(0, 1, -1, 2, 3, 9_007_199_254_740_991, -9_007_199_254_740_991, 2 ** 31)
const small = fc.integer({ min: -3, max: 3 })
const real = fc.oneof(
  fc.constantFrom(0, 0.5, -0.5, 1, 2.5, 1e21, -1e300, 1e-300, 0.1, 0.30000000000000004),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }).map((value) => value + 0),
)
// Whole numbers in JSON are those that it represents exactly.
const jsonReal = real.filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value))
const instant = fc.oneof(
  fc.constantFrom(
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.001Z',
    '0001-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '1969-12-31T23:59:59.999Z',
  ),
  fc
    .date({ min: new Date('1000-01-01T00:00:00Z'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
)
const day = fc.constantFrom('2026-01-01', '2025-12-31', '0001-01-01', '9999-12-31', '2024-02-29')
const uuid = fc.constantFrom(...[1, 2, 3].map((at) => `aaaaaaaa-0000-4000-8000-00000000000${at}`))
const price = fc.constantFrom(
  '0',
  '0.05',
  '-0.05',
  '1.5',
  '1.50',
  '-10',
  '9999999999999999.99',
  '-9999999999999999.99',
  '12.34',
)
const cost = fc.constantFrom('0.0', '2.5', '-10.0', '10.0', '99999999999999999.9')
const large = fc.constantFrom('0', '7', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808')
const loose = fc.oneof(
  word,
  fc.boolean(),
  whole,
  jsonReal,
  fc.constant(null),
  fc.array(word, { maxLength: 2 }),
  fc.record({ '0': word }),
)

const meta = fc.record(
  {
    lang: short,
    size: whole,
    ratio: jsonReal,
    on: fc.boolean(),
    since: instant,
    cost,
    id64: large,
    inner: fc.record({ deep: short }, { requiredKeys: [] }),
    free: loose,
    other: fc.record({ '0': loose, a: loose }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)

/** A value of each field. */
const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  word,
  text: word,
  must: small,
  rank: small,
  big: whole,
  real,
  flag: fc.boolean(),
  at: instant,
  day,
  key: uuid,
  price,
  large,
  tags: fc.array(short, { maxLength: 3 }),
  numbers: fc.array(jsonReal, { maxLength: 3 }),
  meta,
}

const body: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .record(Object.fromEntries(names.map((name) => [name, fc.option(values[name] ?? fc.constant(null), { freq: 2 })])), {
    requiredKeys: [],
  })
  .map(({ must, ...rest }) => ({ ...rest, must: must ?? 0 }))

/** One write. Rows are named by their position. */
export type Write =
  | { readonly is: 'create'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly is: 'change'; readonly row: number; readonly body: Readonly<Record<string, unknown>> }
  | { readonly is: 'remove'; readonly row: number }

const row = fc.nat({ max: 11 })

export const writes: fc.Arbitrary<readonly Write[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: body.map((given): Write => ({ is: 'create', body: given })) },
    { weight: 1, arbitrary: fc.tuple(row, body).map(([at, given]): Write => ({ is: 'change', row: at, body: given })) },
    { weight: 1, arbitrary: row.map((at): Write => ({ is: 'remove', row: at })) },
  ),
  { minLength: 4, maxLength: 14 },
)

type Operands = Readonly<Record<string, fc.Arbitrary<unknown>>>

const list = (one: fc.Arbitrary<unknown>) => fc.array(one, { minLength: 1, maxLength: 5 })
const equality = (one: fc.Arbitrary<unknown>): Operands => ({
  eq: one,
  ne: one,
  in: list(one),
  nin: list(one),
  null: fc.boolean(),
})
const ordered = (one: fc.Arbitrary<unknown>): Operands => ({ ...equality(one), gt: one, gte: one, lt: one, lte: one })
const part = word.map((text) => [...text].slice(0, 2).join(''))
const textual = (one: fc.Arbitrary<unknown>): Operands => ({
  ...ordered(one),
  contains: part,
  startsWith: part,
  endsWith: part,
  icontains: part,
})
const asText = fc.oneof(word, fc.boolean(), whole)
const undeclared: Operands = { ...equality(asText), contains: part, startsWith: part }

/** What each path is compared with, by operator. */
const paths: Readonly<Record<string, Operands>> = {
  word: textual(word),
  text: textual(word),
  must: ordered(small),
  rank: ordered(whole),
  big: ordered(whole),
  real: ordered(real),
  flag: { eq: fc.boolean(), ne: fc.boolean(), null: fc.boolean() },
  at: ordered(instant),
  day: ordered(day),
  key: equality(uuid),
  price: ordered(price),
  large: ordered(large),
  tags: { has: fc.oneof(short, list(short)), null: fc.boolean() },
  numbers: { has: real, null: fc.boolean() },
  meta: { null: fc.boolean() },
  'meta.lang': textual(short),
  'meta.size': ordered(whole),
  'meta.ratio': ordered(real),
  'meta.on': { eq: fc.boolean(), ne: fc.boolean(), null: fc.boolean() },
  'meta.since': ordered(instant),
  'meta.cost': ordered(cost),
  'meta.id64': ordered(large),
  'meta.inner': { null: fc.boolean() },
  'meta.inner.deep': textual(short),
  'meta.free': undeclared,
  'meta.free.0': undeclared,
  'meta.other.0': undeclared,
  'meta.other.a': undeclared,
}

const leaf: fc.Arbitrary<object> = fc.constantFrom(...Object.keys(paths)).chain((path) => {
  const operands = paths[path] ?? {}
  return fc
    .constantFrom(...Object.keys(operands))
    .chain((operator) =>
      (operands[operator] ?? fc.constant(null)).map((operand) => ({ [path]: { [operator]: operand } })),
    )
})

/** A filter as JSON. */
export const where: fc.Arbitrary<object> = fc.letrec<{ filter: object }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: fc.array(tie('filter'), { maxLength: 3 }).map((filters) => ({ AND: filters })) },
    { weight: 1, arbitrary: fc.array(tie('filter'), { maxLength: 3 }).map((filters) => ({ OR: filters })) },
    { weight: 1, arbitrary: tie('filter').map((filter) => ({ NOT: filter })) },
  ),
})).filter

const sortable = names.filter((name) => !['tags', 'numbers', 'meta'].includes(name))

/** `sort` of an address. */
export const sort: fc.Arbitrary<string> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...sortable, 'id'), fc.boolean()), {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name,
  })
  .map((keys) => keys.map(([name, isDescending]) => `${isDescending ? '-' : ''}${name}`).join())

const measures = sortable.flatMap((name) => {
  const { kind } = fieldPath(things, name)
  const extremes = ['count', 'distinct', 'min', 'max']
  const computed = ['integer', 'decimal', 'int64'].includes(kind)
    ? [...extremes, 'sum', 'avg']
    : kind === 'boolean' || kind === 'uuid'
      ? ['count', 'distinct']
      : extremes
  return computed.map((one) => `${name}:${one}`)
})

/** The query string of an aggregate; without doubles, whose sums depend on their order. */
export const aggregate: fc.Arbitrary<string> = fc
  .record({
    groups: fc.uniqueArray(fc.constantFrom(...sortable, 'at:hour', 'at:day', 'at:month', 'at:year'), { maxLength: 2 }),
    select: fc.uniqueArray(fc.constantFrom('count', ...measures), { minLength: 1, maxLength: 4 }),
    isSorted: fc.boolean(),
    isDescending: fc.boolean(),
  })
  .map(({ groups, select, isSorted, isDescending }) => {
    const group = groups.length === 0 ? '' : `&group=${groups.join()}`
    const order = isSorted ? `&sort=${isDescending ? '-' : ''}${select[0]}` : ''
    return `select=${select.join()}${group}${order}`
  })

/** A row of the model: its values by name. */
export type ModelRow = ReadonlyMap<string, FieldValue>

/** A collection in memory. */
export class Model {
  readonly #validator = new Validator(things)
  readonly #rows = new Map<string, Map<string, FieldValue>>()

  /** The ids of its rows. */
  get ids(): readonly string[] {
    return [...this.#rows.keys()]
  }

  create(id: string, given: object): void {
    const found = this.#validator.create(given)
    this.#rows.set(
      id,
      new Map([['id', id], ...names.map((name, at): [string, FieldValue] => [name, found[at] ?? null])]),
    )
  }

  change(id: string, given: object): void {
    for (const [at, value] of this.#validator.change(given)) this.#rows.get(id)?.set(names[at] ?? '', value)
  }

  remove(id: string): void {
    this.#rows.delete(id)
  }

  /** The rows of a query in their order, as JSON has them. */
  list({ filter, sort: keys }: Pick<ListQuery, 'filter' | 'sort'>): readonly unknown[] {
    return this.#matching(filter)
      .toSorted((one, other) => compareRows(one, other, keys))
      .map(jsonOf)
  }

  /** The groups of an aggregate in their order. */
  aggregate({ filter, groups, measures: wanted, sort: keys }: AggregateQuery): readonly unknown[] {
    const found = new Map<string, ModelRow[]>(groups.length === 0 ? [['', []]] : [])
    for (const one of this.#matching(filter)) {
      const key = JSON.stringify(groups.map((group) => groupValue(one, group)))
      const known = found.get(groups.length === 0 ? '' : key)
      if (known === undefined) found.set(key, [one])
      else known.push(one)
    }
    const computed = [...found.values()].map(
      (rows) =>
        new Map<string, unknown>([
          ...groups.map((group): [string, unknown] => [group.name, groupValue(rows[0] ?? new Map(), group)]),
          ...wanted.map((measure): [string, unknown] => [measure.name, measureOf(rows, measure)]),
        ]),
    )
    const order = [
      ...keys,
      ...groups
        .filter(({ name }) => keys.every((key) => key.name !== name))
        .map(({ name }) => ({ name, isDescending: false })),
    ]
    const kinds = new Map<string, string>([...groups, ...wanted].map((one) => [one.name, orderKind(one)]))
    computed.sort((one, other) => {
      for (const { name, isDescending } of order) {
        const result = compareAnswers(kinds.get(name) ?? '', one.get(name), other.get(name))
        if (result !== 0) return isDescending ? -result : result
      }
      return 0
    })
    return computed.map((one) => Object.fromEntries(one))
  }

  #matching(filter: ListQuery['filter']): readonly ModelRow[] {
    return [...this.#rows.values()].filter((one) => filter === null || isMatch(filter, one))
  }
}

function compareRows(one: ModelRow, other: ModelRow, keys: readonly SortKey[]): number {
  for (const { field, isDescending } of keys) {
    const order = compareValues(fieldPath(things, field), one.get(field) ?? null, other.get(field) ?? null)
    if (order !== 0) return isDescending ? -order : order
  }
  return 0
}

function jsonOf(one: ModelRow): unknown {
  return JSON.parse(JSON.stringify(Object.fromEntries(one)))
}

const periodLengths = { hour: 13, day: 10, month: 7, year: 4 }
const periodEnd = '0001-01-01T00:00:00.000Z'

function groupValue(one: ModelRow, { field, period }: GroupKey): unknown {
  const value = one.get(field) ?? null
  if (period === null || !(value instanceof Date)) return value instanceof Date ? value.toISOString() : value
  const length = periodLengths[period]
  return value.toISOString().slice(0, length) + periodEnd.slice(length)
}

function scaled(value: FieldValue): bigint {
  return BigInt(String(value).replace('.', ''))
}

function measureOf(rows: readonly ModelRow[], { field, computes }: Measure): unknown {
  if (field === null) return rows.length
  const type = fieldPath(things, field)
  const found = rows.map((one) => one.get(field) ?? null).filter((value) => value !== null)
  const sorted = found.toSorted((one, other) => compareValues(type, one, other))
  if (computes === 'count') return found.length
  if (computes === 'distinct') return new Set(found.map((value) => JSON.stringify(value))).size
  if (found.length === 0) return null
  if (computes === 'min' || computes === 'max')
    return JSON.parse(JSON.stringify(computes === 'min' ? sorted[0] : sorted.at(-1)))
  const sum = found.reduce((all, value) => all + scaled(value), 0n)
  if (computes === 'avg') return Number(sum) / 10 ** (type.scale ?? 0) / found.length
  if (type.kind === 'integer') return Number.isSafeInteger(Number(sum)) ? Number(sum) : 'SUM_INEXACT'
  return decimalText(sum, type.scale ?? 0)
}

function decimalText(value: bigint, scale: number): string {
  if (scale === 0) return String(value)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** How answers of a group or a measure are ordered: by their text, as numbers, or as exact ones. */
function orderKind(one: GroupKey | Measure): string {
  if ('period' in one) return one.period === null ? fieldPath(things, one.field).kind : 'text'
  if (one.field === null || one.computes === 'count' || one.computes === 'distinct' || one.computes === 'avg')
    return 'number'
  return fieldPath(things, one.field).kind
}

function compareAnswers(kind: string, one: unknown, other: unknown): number {
  if (kind === 'instant') return compareValues({ kind: 'text' }, one as FieldValue, other as FieldValue)
  return compareValues({ kind: kind as 'text' }, one as FieldValue, other as FieldValue)
}
