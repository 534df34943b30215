import type { FieldValue } from '../declaration/canonical.ts'
import type { FieldKind } from '../declaration/declaration.ts'

/** How a condition compares. */
export const operators = [
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'nin',
  'null',
  'contains',
  'startsWith',
  'endsWith',
  'icontains',
  'has',
] as const

/** One of the operators of the filter language. */
export type Operator = (typeof operators)[number]

/** What is compared: a field, or a member of an object field. */
export interface FieldPath {
  /** As it is written: `meta.lang`. */
  readonly name: string
  /** Declared, or one of `id`, `createdAt`, `updatedAt`, `version`. */
  readonly field: string
  /** Below an object field; empty for the field itself. */
  readonly members: readonly string[]
  /**
   * `undeclared`: a member that `properties` does not have. Its text is compared: that of a string, of `true` and `false`, and
   * of a whole number up to 2^53 - 1 without a fraction or an exponent; anything else is never equal to an operand.
   */
  readonly kind: FieldKind | 'undeclared'
  /** Of a `decimal`. */
  readonly scale?: number
  /** Of the items of an array field that declares them. */
  readonly items?: { readonly kind: FieldKind; readonly scale?: number }
}

/**
 * A filter that has been read and checked: what is compared exists and takes the operator, and operands have the kind of
 * their path (as `FieldValue`; of an undeclared path, text). Two-valued: a comparison with a missing value is false; `ne`,
 * `nin` and `not` are exact complements. `and` of none is true, `or` of none is false.
 *
 * A member is reached through objects alone, never through an array. A declared member, or an item, whose value is not of its kind
 * in the canonical form of answers is as good as missing; but `null` asks only whether any value other than JSON's null is there.
 */
export type Filter =
  | { readonly is: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly is: 'not'; readonly filter: Filter }
  | Condition

/** One comparison. `in` and `nin` have one operand or more; `has` one for each item that the array must have; `null` true or false; the others one. */
export interface Condition {
  readonly is: 'condition'
  readonly path: FieldPath
  readonly operator: Operator
  readonly operands: readonly Exclude<FieldValue, null>[]
}

/** Limits of filters: past one, QUERY_TOO_COMPLEX. */
export const filterLimits: {
  readonly conditions: number
  readonly depth: number
  readonly listValues: number
  readonly textLength: number
  readonly members: number
  readonly addressBytes: number
  readonly bodyBytes: number
} = {
  conditions: 32,
  depth: 5,
  /** In all lists together. */
  listValues: 200,
  /** Of an operand of `contains` and its like, in characters. */
  textLength: 200,
  /** Of a path. */
  members: 8,
  /** Of `where=` in an address. */
  addressBytes: 4 * 1024,
  /** Of `where` in a body. */
  bodyBytes: 64 * 1024,
}
