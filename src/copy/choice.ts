import type { LeftOut } from './problems.ts'

/** A table that may be copied, with its size. */
export interface SizedTable {
  readonly name: string
  /** It is copied whatever its size, and counts for nothing. */
  readonly isAlways: boolean
  readonly bytes: number
  /** It is copied at the moment. */
  readonly isCopied: boolean
}

/** Which tables are copied. */
export interface Choice {
  readonly chosen: ReadonlySet<string>
  /** The largest first. */
  readonly left: readonly LeftOut[]
  /** The bytes of all tables that the limit counts. */
  readonly sum: number
}

/** A table that is not copied must leave so much room: else one near the limit would be copied and dropped in turn. */
const entryFactor = 1.1

/** The tables that are copied while the sum of their sizes is at most `maxBytes`: the largest are left out first. Pure. */
export function chooseTables(tables: readonly SizedTable[], maxBytes: number): Choice {
  const counted = tables.filter(({ isAlways }) => !isAlways)
  const isFirst = counted.every(({ isCopied }) => !isCopied)
  const weights = new Map(
    counted.map((table) => [table, table.bytes * (isFirst || table.isCopied ? 1 : entryFactor)] as const),
  )
  const largestFirst = [...weights].sort(([, one], [, other]) => other - one)
  let total = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  const left: LeftOut[] = []
  for (const [table, weight] of largestFirst) {
    if (total <= maxBytes) break
    total -= weight
    left.push({ name: table.name, bytes: table.bytes })
  }
  const names = new Set(left.map(({ name }) => name))
  return {
    chosen: new Set(tables.filter(({ name }) => !names.has(name)).map(({ name }) => name)),
    left,
    sum: counted.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
