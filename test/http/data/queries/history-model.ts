import type { FieldValue } from '../../../../src/collection/declaration/canonical.ts'
import type { Collection } from '../../../../src/collection/declaration/declaration.ts'
import { compareValues, isMatch } from '../../../../src/collection/filter/evaluator.ts'
import { FilterReader } from '../../../../src/collection/filter/filter-reader.ts'
import { type AskedCollection, fieldPath, type OperandType } from '../../../../src/collection/filter/paths.ts'
import type { Aggregate, Sort } from './history-commands.ts'

/** A row as it is answered, without the times. */
export type ModelRow = Readonly<Record<string, unknown>>

/** A field of each kind. With so few rows any sort is served. */
export const things: Collection = {
  name: 'things',
  ids: 'client',
  maxRows: 10_000,
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
    tags: { type: 'array', items: { type: 'string', maxLength: 40 } },
    numbers: { type: 'array', items: { type: 'number' } },
    meta: {
      type: 'object',
      properties: {
        on: { type: 'boolean' },
        cost: { type: 'string', format: 'decimal', scale: 1 },
        id64: { type: 'string', format: 'int64' },
        lang: { type: 'string', maxLength: 40 },
        size: { type: 'integer' },
        inner: { type: 'object', properties: { deep: { type: 'string', maxLength: 40 } } },
        ratio: { type: 'number' },
        since: { type: 'string', format: 'date-time' },
      },
    },
  },
  required: ['must'],
  indexes: [{ fields: ['rank'] }, { fields: ['word', 'day'] }, { fields: ['must', 'at'] }],
}

const fields = Object.keys(things.fields)

/** What is asked of each row: all but the times, which are those of the service. */
export const answered: readonly string[] = ['id', ...fields, 'version']

/** As the admin sees it. */
const asked: AskedCollection = { collection: things, asked: new Set([...answered, 'createdAt', 'updatedAt']) }

/** The rows in memory, and the plainest answers to what can be asked of them. */
export class HistoryModel {
  readonly #rows = new Map<string, ModelRow>()

  /** The row after a PUT; the fields that it does not have are null. */
  put(id: string, body: ModelRow): ModelRow {
    const version = Number(this.#rows.get(id)?.version ?? 0) + 1
    const row = Object.fromEntries(answered.map((name) => [name, body[name] ?? null]))
    return this.#set(id, { ...row, id, version })
  }

  /** The row after a PATCH; null: there is none. */
  patch(id: string, body: ModelRow): ModelRow | null {
    const before = this.#rows.get(id)
    return before === undefined ? null : this.#set(id, { ...before, ...body, version: Number(before.version) + 1 })
  }

  remove(id: string): boolean {
    return this.#rows.delete(id)
  }

  /** The rows for which the filter is true, in the order of the sort. */
  list(where: ModelRow, sort: Sort): readonly ModelRow[] {
    const filter = new FilterReader(asked).ofJson(where)
    const keys = [...sort, { field: 'id', isDescending: sort.at(-1)?.isDescending ?? true }]
    return [...this.#rows.values()]
      .filter((row) => isMatch(filter, insideOf(row)))
      .sort((one, other) => {
        for (const { field, isDescending } of keys) {
          const order = compareValues(fieldPath(things, field), valueIn(one, field), valueIn(other, field))
          if (order !== 0) return isDescending ? -order : order
        }
        return 0
      })
  }

  /** The groups in the order of the sort and of their keys, with what is computed of each. */
  aggregate(where: ModelRow, { groups, measures, sort }: Aggregate): readonly ModelRow[] {
    const found = new Map<string, { readonly keys: readonly FieldValue[]; readonly rows: ModelRow[] }>()
    // One group of no rows is an answer, too.
    if (groups.length === 0) found.set('[]', { keys: [], rows: [] })
    for (const row of this.list(where, [])) {
      const keys = groups.map((name) => groupOf(name, row))
      const group = found.get(JSON.stringify(keys)) ?? { keys, rows: [] }
      group.rows.push(row)
      found.set(JSON.stringify(keys), group)
    }
    const computed = [...found.values()].map(({ keys, rows }) => ({
      ...Object.fromEntries(groups.map((name, at) => [name, shown(keys[at] ?? null)])),
      ...Object.fromEntries(measures.map((name) => [name, measure(name, rows)])),
    }))
    const order = [...sort, ...groups.map((field) => ({ field, isDescending: false }))]
    return computed.sort((one: ModelRow, other: ModelRow) => {
      for (const { field, isDescending } of order) {
        // As they are answered: null, or a text or a number.
        const result = compareValues(typeOf(field), one[field] as FieldValue, other[field] as FieldValue)
        if (result !== 0) return isDescending ? -result : result
      }
      return 0
    })
  }

  #set(id: string, row: ModelRow): ModelRow {
    this.#rows.set(id, row)
    return row
  }
}

function fieldOf(name: string): string {
  return name.split(':', 1)[0] ?? ''
}

/** Counts and averages are numbers; other measures, and groups, are as their field is. */
function typeOf(name: string): OperandType {
  const [field = '', computes] = name.split(':')
  if (field === 'count' || ['count', 'distinct', 'avg'].includes(computes ?? '')) return { kind: 'number' }
  const path = fieldPath(things, field)
  return path.kind === 'instant' ? { kind: 'text' } : path
}

/** What the service has of an answered row: instants are dates. */
function insideOf(row: ModelRow): ReadonlyMap<string, FieldValue> {
  return new Map(answered.map((name) => [name, valueIn(row, name)]))
}

function valueIn(row: ModelRow, field: string): FieldValue {
  const value = row[field] as FieldValue // As it is answered.
  return field === 'at' && typeof value === 'string' ? new Date(value) : value
}

function groupOf(name: string, row: ModelRow): FieldValue {
  const value = valueIn(row, fieldOf(name))
  if (!(value instanceof Date)) return value
  const text = value.toISOString()
  const length = periods[name.slice(name.indexOf(':') + 1)]
  return length === undefined ? value : new Date(text.slice(0, length) + '0001-01-01T00:00:00.000Z'.slice(length))
}

/** How much of an instant's text a period has. */
const periods: Readonly<Record<string, number>> = { hour: 13, day: 10, month: 7, year: 4 }

/** In place of a sum that no number represents: the request is refused. */
export const inexact = 'SUM_INEXACT'

function shown(value: FieldValue): unknown {
  return value instanceof Date ? value.toISOString() : value
}

function measure(name: string, rows: readonly ModelRow[]): unknown {
  const [field = '', computes = 'rows'] = name.split(':')
  if (computes === 'rows') return rows.length
  const path = fieldPath(things, field)
  const values = rows.map((row) => valueIn(row, field)).filter((value) => value !== null)
  if (computes === 'count') return values.length
  if (computes === 'distinct') return new Set(values.map((value) => JSON.stringify(value))).size
  if (values.length === 0) return null
  const sorted = values.toSorted((one, other) => compareValues(path, one, other))
  if (computes === 'min') return shown(sorted[0] ?? null)
  if (computes === 'max') return shown(sorted.at(-1) ?? null)
  return sumOf(path, values, computes === 'avg')
}

/** Exact: of decimals and 64 bits as text. */
function sumOf({ kind, scale = 0 }: OperandType, values: readonly FieldValue[], isAverage: boolean): unknown {
  const sum = values.reduce<bigint>((total, value) => total + BigInt(String(value).replace('.', '')), 0n)
  if (isAverage) return Number(sum) / 10 ** scale / values.length
  if (kind === 'integer') return Number.isSafeInteger(Number(sum)) ? Number(sum) : inexact
  if (scale === 0) return String(sum)
  const digits = String(sum < 0n ? -sum : sum).padStart(scale + 1, '0')
  return `${sum < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
