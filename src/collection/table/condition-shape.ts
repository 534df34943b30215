import type { Value } from '../../driver/facet/statements.ts'
import type { FieldKind } from '../declaration/declaration.ts'
import { formatInstant } from '../declaration/instant.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { Condition, FieldPath, Filter } from '../filter/filter.ts'
import type { Column } from './column.ts'
import type { Dialect } from './dialect.ts'

/** How a leaf of a filter compares; `ne` and `nin` are negated leaves, and a prefix is a range. */
export type Test =
  | 'eq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'in'
  | 'null'
  | 'from'
  | 'between'
  | 'contains'
  | 'endsWith'
  | 'icontains'
  | 'has'

/** A filter without its operands: what a statement is compiled from. Nothing but leaves is negated. */
export type FilterShape =
  | { readonly is: 'and' | 'or'; readonly shapes: readonly FilterShape[] }
  | {
      readonly is: 'leaf'
      readonly path: FieldPath
      readonly test: Test
      readonly isNegated: boolean
      /** The number of the first operand, and how many there are. */
      readonly first: number
      readonly count: number
    }

/** A filter taken apart: its shape, a text that two shapes share if they are the same, and its operands as they are bound. */
export interface ShapedFilter {
  readonly shape: FilterShape
  readonly key: string
  readonly operands: readonly Value[]
}

/** Takes filters apart for the statements of one table. */
export class FilterShaper {
  readonly #columns: ReadonlyMap<string, Column>
  readonly #dialect: Dialect
  readonly #operands: Value[] = []
  #key = ''

  private constructor(columns: ReadonlyMap<string, Column>, dialect: Dialect) {
    this.#columns = columns
    this.#dialect = dialect
  }

  /** Null: all rows. */
  static shape(filter: Filter | null, columns: ReadonlyMap<string, Column>, dialect: Dialect): ShapedFilter | null {
    if (filter === null) return null
    const shaper = new FilterShaper(columns, dialect)
    const shape = shaper.#shape(filter, false)
    return { shape, key: shaper.#key, operands: shaper.#operands }
  }

  #shape(filter: Filter, isNegated: boolean): FilterShape {
    switch (filter.is) {
      case 'not':
        return this.#shape(filter.filter, !isNegated)
      case 'and':
      case 'or': {
        // Of a negation each part is negated instead, so that what is negated twice is served by an index again.
        const is = (filter.is === 'and') === isNegated ? 'or' : 'and'
        this.#key += `${is}(`
        const shapes = filter.filters.map((one) => this.#shape(one, isNegated))
        this.#key += ')'
        return { is, shapes }
      }
      case 'condition':
        return this.#leaf(filter, isNegated)
    }
  }

  #leaf({ path, operator, operands }: Condition, isOutside: boolean): FilterShape {
    const isNegated = isOutside !== (operator === 'ne' || operator === 'nin')
    const [operand] = operands
    switch (operator) {
      case 'eq':
      case 'ne':
        return this.#add(path, 'eq', isNegated, [this.#operand(path, operand)])
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
        return this.#add(path, operator, isNegated, [this.#operand(path, operand)])
      case 'in':
      case 'nin':
        // No value is one of none.
        if (operands.length === 0) return this.#shape({ is: isNegated ? 'and' : 'or', filters: [] }, false)
        return this.#add(path, 'in', isNegated, this.#list(path, operands))
      case 'null':
        return this.#add(path, 'null', isOutside !== (operand !== true), [])
      case 'has':
        return this.#has(path, operands, isNegated)
      default:
        return this.#text(path, operator, String(operand), isNegated)
    }
  }

  #text(path: FieldPath, operator: Condition['operator'], operand: string, isNegated: boolean): FilterShape {
    // Every text begins with, ends with and contains the empty one; a text of no characters cannot be cut off everywhere.
    if (operand === '') return this.#add(path, 'null', !isNegated, [])
    if (operator === 'startsWith') {
      const end = textAfter(operand)
      return end === null
        ? this.#add(path, 'from', isNegated, [operand])
        : this.#add(path, 'between', isNegated, [operand, end])
    }
    if (operator === 'endsWith') return this.#add(path, 'endsWith', isNegated, [operand, [...operand].length])
    if (operator !== 'icontains') return this.#add(path, 'contains', isNegated, [operand])
    return this.#add(path, 'icontains', isNegated, [operand.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())])
  }

  #has(path: FieldPath, operands: Condition['operands'], isNegated: boolean): FilterShape {
    const item: FieldPath = { ...path, kind: path.items?.kind ?? 'text', ...scaleOf(path.items?.scale) }
    const values = operands.map((operand) => memberValue(item, operand, this.#dialect))
    return this.#add(path, 'has', isNegated, this.#rounded(values))
  }

  #list(path: FieldPath, operands: Condition['operands']): readonly Value[] {
    return this.#rounded(operands.map((operand) => this.#operand(path, operand)))
  }

  /** To a power of two, by the last value again: lists of all lengths have few shapes. */
  #rounded(values: readonly Value[]): readonly Value[] {
    const last = values.at(-1)
    if (last === undefined) throw new Error('A list of a filter has no values.')
    const length = 2 ** Math.ceil(Math.log2(values.length))
    return [...values, ...Array<Value>(length - values.length).fill(last)]
  }

  #operand(path: FieldPath, operand: Exclude<FieldValue, null> | undefined): Value {
    if (operand === undefined) throw new Error(`No operand for "${path.name}".`)
    if (path.members.length > 0) return memberValue(path, operand, this.#dialect)
    const column = this.#columns.get(path.field)
    if (column === undefined) throw new Error(`No column for "${path.name}".`)
    return column.toDatabase(operand)
  }

  #add(path: FieldPath, test: Test, isNegated: boolean, operands: readonly Value[]): FilterShape {
    const first = this.#operands.length
    this.#operands.push(...operands)
    // A name of a path has no blank.
    this.#key += `${isNegated ? '!' : ''}${path.name} ${test}${operands.length};`
    return { is: 'leaf', path, test, isNegated, first, count: operands.length }
  }
}

function scaleOf(scale: number | undefined): { readonly scale?: number } {
  return scale === undefined ? {} : { scale }
}

/** An operand that is compared with a member or an item, as it is bound. */
function memberValue({ kind }: FieldPath, operand: Exclude<FieldValue, null>, dialect: Dialect): Value {
  switch (kind) {
    case 'integer':
    case 'number':
      return Number(operand)
    case 'boolean':
      return dialect.name === 'postgresql' ? operand === true : operand === true ? 1 : 0
    case 'decimal':
    case 'int64':
      return dialect.exactValue(String(operand))
    case 'instant':
      return operand instanceof Date ? (formatInstant(operand.getTime()) ?? '') : String(operand)
    default:
      return String(operand)
  }
}

/** Kinds whose order is that of their text, inside JSON. */
export function isTextual(kind: FieldKind | 'undeclared'): boolean {
  return kind === 'text' || kind === 'uuid' || kind === 'date' || kind === 'instant' || kind === 'undeclared'
}

/** The first text behind all that begin with this one, in the order of bytes; null: there is none. */
function textAfter(prefix: string): string | null {
  const points = [...prefix]
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0
    if (point >= 0x10_ffff) continue
    // Halves of surrogate pairs are no characters.
    const next = point === 0xd7ff ? 0xe000 : point + 1
    return points.join('') + String.fromCodePoint(next)
  }
  return null
}
