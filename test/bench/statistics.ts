/** The middle of some numbers, and how far they lie apart. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** The spread of at least one number. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const low = sorted[Math.floor(middle)] ?? Number.NaN
  const high = sorted[Math.ceil(middle)] ?? Number.NaN
  return { median: (low + high) / 2, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN }
}

/** How far some numbers lie apart, as a share of their median. */
export function widthOf({ median, least, most }: Spread): number {
  return (most - least) / median
}

/** The value below which a share of some sorted numbers lies. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}

/** `1.23 (1.10 to 1.31)`. */
export function showSpread(spread: Spread, digits = 2): string {
  const show = (value: number) =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${show(spread.median)} (${show(spread.least)} to ${show(spread.most)})`
}

/** Rows of cells as a table with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The pairwise ratios of two series of the same length. */
export function ratiosOf(some: readonly number[], others: readonly number[]): readonly number[] {
  return some.map((value, at) => value / (others[at] ?? Number.NaN))
}

/** The mean that fits ratios: of 2 and 0.5 it is 1. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
