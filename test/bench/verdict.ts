import { type Spread, spreadOf, widthOf } from './statistics.ts'

/** Above this width of the yardstick's own rates, relative to their median, nothing is said about the others. */
const widthMax = 0.3

/** A wanted value and what came of it. */
export interface Verdict {
  readonly rule: string
  /** Of each repetition. */
  readonly is: Spread
  readonly atLeast?: number
  readonly atMost?: number
  readonly outcome: 'reached' | 'missed' | 'refused'
  /** Why there is no verdict. */
  readonly because?: string
}

/** A limit: one of the two. */
export type Limit = { readonly atLeast: number } | { readonly atMost: number }

/** Compares the median with the limit. */
export function judge(rule: string, values: readonly number[], limit: Limit): Verdict {
  const is = spreadOf(values)
  const isReached = 'atLeast' in limit ? is.median >= limit.atLeast : is.median <= limit.atMost
  return { rule, is, ...limit, outcome: isReached ? 'reached' : 'missed' }
}

/** The same verdicts, refused when the yardstick itself varied too much: then so did the machine. */
export function refuseUnsteady(verdicts: readonly Verdict[], yardstick: Spread, whose = 'by hand'): readonly Verdict[] {
  const width = widthOf(yardstick)
  if (width <= widthMax) return verdicts
  const because = `${whose} varied by ${(width * 100).toFixed(0)} %: no verdict`
  return verdicts.map((verdict) => ({ ...verdict, outcome: 'refused', because }))
}
