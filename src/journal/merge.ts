import type { Image, ImageColumn } from '../driver/facet/image.ts'
import { derivedId } from '../driver/kit/draw-id.ts'
import { isSameValue } from './canonical.ts'

/** What becomes of a change to a row that is not, in the primary, what it was on the fallback. */
export type ConflictPolicy = 'park' | 'merge' | 'primary-wins' | 'fallback-wins'

/** The values that a field accepts. */
export interface SumBounds {
  readonly minimum: number
  readonly maximum: number
}

/** What the declaration of a collection says about conflicts. */
export interface ConflictRules {
  readonly policy: ConflictPolicy
  /** Fields in which the changes of both sides add up. */
  readonly sums: ReadonlyMap<string, SumBounds>
}

/** The rules of a table without a declaration. */
export const parking: ConflictRules = { policy: 'park', sums: new Map() }

/** One row, three times. */
export interface RowVersions {
  /** On the fallback before the change. */
  readonly base: Image
  /** On the fallback after it. */
  readonly ours: Image
  /** In the primary. */
  readonly theirs: Image
}

/** The column that names the attempt that wrote the row last. */
export const attemptColumn = 'holdfast_attempt'

/**
 * Merges a change into a row of the primary, column by column; the first line that fits decides:
 *
 * | Column | Becomes |
 * |---|---|
 * | `holdfast_attempt` | derived from the entry's: the row is neither side's |
 * | `version` | theirs + (ours - base): it counts the changes of both |
 * | `updatedAt` | the later of the two |
 * | unchanged here | theirs |
 * | unchanged there | ours |
 * | `sum`, and no value is null | theirs + (ours - base), within the bounds of the field; a conflict beyond |
 * | the same value on both sides, or two nulls; not two equal numbers, which may be two increments | that value |
 * | anything else | a conflict |
 *
 * Values are compared by what they mean. Integers and decimals add up exactly, other numbers as doubles. A column that an image lacks is
 * NULL in `base` and `theirs`, and unchanged in `ours`. Gives the columns that change in the primary; null: a conflict, unless
 * `isOurs` takes ours for each. Merging changes the primary by a difference, so a later change on the fallback merges in the
 * same way: its base differs from the merged row by no more than what others have changed. Pure.
 */
export function merge(
  versions: RowVersions,
  attempt: string,
  columns: ReadonlyMap<string, ImageColumn>,
  { sums }: ConflictRules,
  isOurs = false,
): Image | null {
  const changes: Record<string, string | null> = {}
  for (const name in versions.ours) {
    const column = columns.get(name)
    // A column that the primary lacks holds nothing but NULL: `judge` parks other values.
    if (column === undefined || name === attemptColumn) continue
    let value = mergedValue(column, versions, sums.get(name))
    if (value === undefined && isOurs) value = versions.ours[name] ?? null
    if (value === undefined) return null
    if (value !== (versions.theirs[name] ?? null)) changes[name] = value
  }
  return { ...changes, [attemptColumn]: mergedAttempt(attempt) }
}

/** The attempt of the rows that a transaction's changes were merged into. */
export function mergedAttempt(attempt: string): string {
  return derivedId('merged', attempt)
}

/** The value of a column; undefined: a conflict. */
function mergedValue(
  column: ImageColumn,
  versions: RowVersions,
  bounds: SumBounds | undefined,
): string | null | undefined {
  const { name, kind } = column
  const base = versions.base[name] ?? null
  const ours = versions.ours[name] ?? null
  const theirs = versions.theirs[name] ?? null
  const isSame = (one: string | null, other: string | null): boolean => isSameValue(kind, one, other)
  if (isSame(base, ours)) return theirs
  if (name === 'version' && base !== null && ours !== null && theirs !== null) return exactSum(base, ours, theirs)
  if (name === 'updatedAt' && ours !== null && theirs !== null) return laterOf(ours, theirs)
  if (isSame(base, theirs)) return ours
  const isNumber = kind === 'integer' || kind === 'number' || kind === 'decimal'
  if (isNumber && bounds !== undefined && base !== null && ours !== null && theirs !== null) {
    const sum = addedUp(column, base, ours, theirs)
    return sum !== undefined && Number(sum) >= bounds.minimum && Number(sum) <= bounds.maximum ? sum : undefined
  }
  return isSame(ours, theirs) && (!isNumber || ours === null) ? theirs : undefined
}

function addedUp({ kind, scale = 0 }: ImageColumn, base: string, ours: string, theirs: string): string | undefined {
  if (kind === 'integer') return exactSum(base, ours, theirs)
  return kind === 'decimal' ? decimalSum(scale, base, ours, theirs) : doubleSum(base, ours, theirs)
}

const integer = /^-?\d+$/
const limit = 2n ** 63n

/** Undefined: not in 64 bits, or not a sum of whole numbers. */
function exactSum(base: string, ours: string, theirs: string): string | undefined {
  if (![base, ours, theirs].every((text) => integer.test(text))) return undefined
  const sum = BigInt(theirs) + (BigInt(ours) - BigInt(base))
  return sum >= -limit && sum < limit ? String(sum) : undefined
}

/** The most digits of a decimal. */
const decimalDigits = 18

/** Undefined: more digits than a decimal has, or not a sum of decimals of this scale. */
function decimalSum(
  scale: number,
  ...texts: readonly [base: string, ours: string, theirs: string]
): string | undefined {
  const [base, ours, theirs] = texts.map((text) => unitsOf(text, scale))
  if (base === undefined || ours === undefined || theirs === undefined) return undefined
  const sum = theirs + (ours - base)
  const digits = String(sum < 0n ? -sum : sum).padStart(scale + 1, '0')
  if (digits.length > decimalDigits) return undefined
  const whole = digits.slice(0, digits.length - scale)
  return `${sum < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
}

/** A decimal in its smallest units; undefined: it is none of this scale. */
function unitsOf(text: string, scale: number): bigint | undefined {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === '' || fraction.length !== scale) return undefined
  return BigInt(`${sign}${whole}${fraction}`)
}

/** Undefined: not a finite number. */
function doubleSum(base: string, ours: string, theirs: string): string | undefined {
  const sum = Number(theirs) + (Number(ours) - Number(base))
  return Number.isFinite(sum) ? String(sum) : undefined
}

/** Undefined: one of them is not an instant that can be compared. */
function laterOf(ours: string, theirs: string): string | undefined {
  if (!integer.test(ours) || !integer.test(theirs)) return undefined
  return BigInt(ours) > BigInt(theirs) ? ours : theirs
}
