/** The share of one core of the primary's server that the sweep takes at the default rate. */
const share = 0.03
const defaultRate = 5_000

/** The most rows of one look, and of one page of a first copy. */
export const lookRowsMax = 5_000
const lookRowsMin = 100

/** Rows of one look: about a second's worth. `rate`: COPY_RATE. */
export function lookRowsOf(rate: number): number {
  return Math.max(lookRowsMin, Math.min(lookRowsMax, rate))
}

/**
 * How long the primary is left alone after a look at so many rows. A higher rate than the default takes a larger share. What
 * was fetched counts no more than once: what is old is to be replaced soon.
 */
export function sweepPauseMs(rows: number, comparedMs: number, fetchedMs: number, rate: number): number {
  const taken = Math.min(1, share * Math.max(1, rate / defaultRate))
  return Math.max((rows * 1000) / rate, comparedMs / taken, fetchedMs)
}
